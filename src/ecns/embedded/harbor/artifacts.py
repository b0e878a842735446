"""Repositories, artifacts and tags: how they come, are found and go, whoever asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock, manifests, quotas, records, rules
from ecns.embedded.harbor.errors import conflict, not_found, precondition
from ecns.embedded.harbor.files import is_digest
from ecns.embedded.harbor.names import split

if TYPE_CHECKING:
    from ecns.embedded.harbor.files import Files
    from ecns.embedded.harbor.manifests import Manifest
    from ecns.embedded.harbor.store import Row, Store

MOST_OF_CONFIG = 4 << 20
"""Bytes of a config that are read for what the API tells of an image."""


class Artifacts:
    """What is in the repositories of a store."""

    def __init__(self, store: Store, files: Files) -> None:
        self.store = store
        self.files = files

    # Repositories

    def repository(self, name: str) -> Row:
        """A repository by its full name.

        Raises:
            ProblemError: 404, there is none.
        """
        row = self.store.one("SELECT * FROM repository WHERE name = ?", name)
        if row is None:
            raise not_found(f"repository {name} not found")
        return row

    def ensure_repository(self, project_id: int, name: str) -> Row:
        """A repository, made when it is not there."""
        found = self.store.one("SELECT * FROM repository WHERE name = ?", name)
        if found is None:
            now = clock.now()
            identity = self.store.next_id("repository")
            self.store.run(
                "INSERT INTO repository VALUES (?, ?, ?, '', 0, ?, ?)", identity, project_id, name, now, now
            )
            found = self.repository(name)
        return found

    def delete_repository(self, row: Row, username: str) -> None:
        """Remove a repository with everything in it.

        Raises:
            ProblemError: 412, a tag is immutable.
        """
        with self.store.transaction():
            for tag in self.store.all("SELECT * FROM tag WHERE repository_id = ?", row["id"]):
                self._deletable(row, tag["name"])
            self.store.run(
                "DELETE FROM child WHERE parent_id IN (SELECT id FROM artifact WHERE repository_id = ?)",
                row["id"],
            )
            rows = self.store.all("SELECT * FROM artifact WHERE repository_id = ? ORDER BY id", row["id"])
            for artifact in rows:
                if self.store.one("SELECT 1 FROM artifact WHERE id = ?", artifact["id"]):
                    self._remove(row, artifact)
                    resource = f"{row['name']}:{artifact['digest']}"
                    records.add(self.store, row["project_id"], "delete", "artifact", resource, by=username)
            self.store.run("DELETE FROM repository WHERE id = ?", row["id"])
            records.add(self.store, row["project_id"], "delete", "repository", row["name"], by=username)

    # Artifacts

    def find(self, repository: str, reference: str) -> Row:
        """An artifact by a tag or digest.

        Raises:
            ProblemError: 404, there is none.
        """
        if is_digest(reference):
            found = self.store.one(
                "SELECT artifact.* FROM artifact JOIN repository ON repository.id = repository_id"
                " WHERE name = ? AND digest = ?",
                repository,
                reference,
            )
            if found is None:
                self.repository(repository)
                raise not_found(f"artifact {repository}@{reference} not found")
            return found
        row = self.repository(repository)
        found = self.store.one(
            "SELECT artifact.* FROM tag JOIN artifact ON artifact.id = artifact_id"
            " WHERE tag.repository_id = ? AND tag.name = ?",
            row["id"],
            reference,
        )
        if found is None:
            raise not_found(f"artifact {repository}:{reference} not found")
        return found

    def ensure(self, repository: Row, manifest: Manifest) -> tuple[Row, bool]:
        """The artifact of a manifest, made when it is not there; whether it was made."""
        store = self.store
        known = store.one(
            "SELECT * FROM artifact WHERE repository_id = ? AND digest = ?", repository["id"], manifest.digest
        )
        if known is not None:
            return known, False
        children = [(child, self.find(repository["name"], child.digest)) for child in manifest.children]
        size = len(manifest.body)
        size += sum(blob.size for blob in manifest.blobs) + sum(row["size"] for _, row in children)
        identity = store.next_id("artifact")
        store.run(
            "INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            identity,
            repository["id"],
            manifest.digest,
            manifest.media_type,
            manifest.kind,
            manifest.referrer_type,
            manifest.type,
            min(size, 2**63 - 1),
            manifest.subject,
            json.dumps(self._attributes(manifest), sort_keys=True),
            json.dumps(manifest.annotations),
            clock.now(),
        )
        for place, (child, row) in enumerate(children):
            store.run(
                "INSERT INTO child VALUES (?, ?, ?, ?, ?, ?, ?)",
                identity,
                place,
                row["id"],
                child.digest,
                json.dumps(child.platform),
                json.dumps(child.annotations),
                json.dumps(child.urls),
            )
        return self._artifact(identity), True

    def _artifact(self, identity: int) -> Row:
        row = self.store.one("SELECT * FROM artifact WHERE id = ?", identity)
        assert row is not None, "it was there a moment ago"  # noqa: S101  a fault of ours
        return row

    def config(self, manifest: Manifest) -> Any:
        """The config of an image, None when it is no JSON of ordinary size."""
        if manifest.config is None or manifest.config.size > MOST_OF_CONFIG:
            return None
        try:
            with self.files.blob(manifest.config.digest).open("rb") as file:
                return json.loads(file.read(MOST_OF_CONFIG + 1))
        except (OSError, ValueError, RecursionError):
            return None

    def _attributes(self, manifest: Manifest) -> dict[str, Any]:
        if manifest.config is None:
            return {}
        config = self.config(manifest)
        if manifest.kind in manifests.IMAGE_CONFIGS:
            return manifests.image_attributes(config)
        return config if isinstance(config, dict) else {}

    def delete(self, artifact: Row, username: str) -> None:
        """Remove an artifact with its tags, and the children of an index that nothing else needs.

        Raises:
            ProblemError: 412, it is the child of an index, or a tag of it is immutable.
        """
        repository = self._repository_of(artifact)
        with self.store.transaction():
            for tag in self.tags_of(artifact["id"]):
                self._deletable(repository, tag["name"])
            self.remove(artifact)
            resource = f"{repository['name']}:{artifact['digest']}"
            records.add(self.store, repository["project_id"], "delete", "artifact", resource, by=username)

    def remove(self, artifact: Row) -> None:
        """As `delete`, whatever is immutable.

        Raises:
            ProblemError: 412, it is the child of an index.
        """
        if self.store.one("SELECT 1 FROM child WHERE child_id = ?", artifact["id"]):
            raise precondition(
                "the deleting artifact is referenced by others", "VIOLATE_FOREIGN_KEY_CONSTRAINT"
            )
        self._remove(self._repository_of(artifact), artifact)

    def _repository_of(self, artifact: Row) -> Row:
        row = self.store.one("SELECT * FROM repository WHERE id = ?", artifact["repository_id"])
        assert row is not None, "an artifact has a repository"  # noqa: S101  a fault of ours
        return row

    def _remove(self, repository: Row, artifact: Row) -> None:
        """Remove an artifact, then what refers to it and those of its children that are left alone."""
        store = self.store
        children = store.all(
            "SELECT artifact.* FROM child JOIN artifact ON artifact.id = child_id WHERE parent_id = ?",
            artifact["id"],
        )
        store.run("DELETE FROM child WHERE parent_id = ? OR child_id = ?", artifact["id"], artifact["id"])
        store.run("DELETE FROM artifact WHERE id = ?", artifact["id"])
        self._release(repository["project_id"], artifact["digest"])
        store.run(
            "INSERT INTO trash VALUES (?, ?, ?, ?, ?, ?)",
            store.next_id("trash"),
            repository["name"],
            artifact["digest"],
            artifact["media_type"],
            artifact["manifest_media_type"],
            clock.now(),
        )
        referrers = store.all(
            "SELECT * FROM artifact WHERE repository_id = ? AND subject = ?",
            repository["id"],
            artifact["digest"],
        )
        for other in (*referrers, *children):
            gone = store.one("SELECT 1 FROM artifact WHERE id = ?", other["id"]) is None
            if gone or store.one("SELECT 1 FROM child WHERE child_id = ?", other["id"]):
                continue
            if other["subject"] != artifact["digest"] and self.tags_of(other["id"]):
                continue
            self._remove(repository, other)

    def _release(self, project_id: int, digest: str) -> None:
        """Count no longer what no other artifact of the project needs."""
        self.store.run(
            """
            DELETE FROM used WHERE project_id = ?1
            AND digest IN (SELECT blob FROM part WHERE manifest = ?2 UNION SELECT ?2)
            AND digest NOT IN (
                SELECT part.blob FROM part JOIN artifact ON artifact.digest = part.manifest
                JOIN repository ON repository.id = repository_id WHERE repository.project_id = ?1)
            """,
            project_id,
            digest,
        )

    # Tags

    def tags_of(self, artifact_id: int) -> list[Row]:
        """The tags of an artifact, the newest first."""
        return self.store.all(
            "SELECT * FROM tag WHERE artifact_id = ? ORDER BY pushed DESC, id DESC", artifact_id
        )

    def ensure_tag(self, repository: Row, artifact: Row, name: str) -> None:
        """Let a tag name an artifact, whatever it named before."""
        known = self.store.one(
            "SELECT * FROM tag WHERE repository_id = ? AND name = ?", repository["id"], name
        )
        if known is None:
            self._new_tag(repository, artifact, name)
        elif known["artifact_id"] != artifact["id"]:
            self.store.run(
                "UPDATE tag SET artifact_id = ?, pushed = ? WHERE id = ?",
                artifact["id"],
                clock.now(),
                known["id"],
            )

    def create_tag(self, repository: Row, artifact: Row, name: str) -> None:
        """Give an artifact a new tag.

        Raises:
            ProblemError: 409, the repository has it already.
        """
        if self.store.one("SELECT 1 FROM tag WHERE repository_id = ? AND name = ?", repository["id"], name):
            self.store.next_id("tag")
            raise conflict(f"tag {name} already exists under the repository {repository['id']}")
        self._new_tag(repository, artifact, name)

    def _new_tag(self, repository: Row, artifact: Row, name: str) -> None:
        self.store.run(
            "INSERT INTO tag VALUES (?, ?, ?, ?, ?, 0)",
            self.store.next_id("tag"),
            repository["id"],
            artifact["id"],
            name,
            clock.now(),
        )

    def delete_tag(self, repository: Row, artifact: Row, name: str) -> None:
        """Take a tag off an artifact, which stays.

        Raises:
            ProblemError: 404, it has no such tag; 412, it is immutable.
        """
        known = self.store.one("SELECT * FROM tag WHERE artifact_id = ? AND name = ?", artifact["id"], name)
        if known is None:
            raise not_found(f"tag {name} attached to artifact {artifact['id']} not found")
        self._deletable(repository, name)
        self.store.run("DELETE FROM tag WHERE id = ?", known["id"])

    def _deletable(self, repository: Row, tag: str) -> None:
        if rules.immutable(self.store, repository["project_id"], split(repository["name"])[1], tag):
            raise precondition(f"the tag {tag} configured as immutable, cannot be deleted")

    # Manifests

    def manifest(self, digest: str) -> Manifest | None:
        """A manifest that was put, by its digest."""
        row = self.store.one("SELECT * FROM manifest WHERE digest = ?", digest)
        return None if row is None else manifests.parse(row["media_type"], row["body"])

    def put(self, project_id: int, manifest: Manifest) -> None:
        """Keep a manifest, and count it and what it names in the project."""
        store = self.store
        store.run(
            "INSERT OR IGNORE INTO manifest VALUES (?, ?, ?)",
            manifest.digest,
            manifest.media_type,
            manifest.body,
        )
        now = clock.now()
        store.run(
            "INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET touched = excluded.touched",
            manifest.digest,
            len(manifest.body),
            manifest.media_type,
            now,
        )
        store.run("INSERT OR IGNORE INTO part VALUES (?, ?)", manifest.digest, manifest.digest)
        quotas.add(store, project_id, manifest.digest)
        for reference in manifest.references:
            if reference.elsewhere:
                continue
            store.run(
                "UPDATE blob SET media_type = ?, touched = ? WHERE digest = ?",
                reference.media_type,
                now,
                reference.digest,
            )
            store.run("INSERT OR IGNORE INTO part VALUES (?, ?)", manifest.digest, reference.digest)
            quotas.add(store, project_id, reference.digest)
