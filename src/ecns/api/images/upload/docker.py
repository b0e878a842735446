"""Archives with `manifest.json`, and those that Docker wrote before 1.10.

Source: https://github.com/moby/docker-image-spec/blob/main/v1.2.md (combined image JSON and filesystem
changeset); https://github.com/moby/moby/blob/v24.0.0/image/v1/imagev1.go for the older ones.
"""

from __future__ import annotations

from ecns.api.images.upload.archives import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LARGEST,
    LAYERS,
    SUFFIX,
    Blob,
    Contents,
    Files,
    Image,
    JsonObject,
    Node,
    as_pushed,
    check_layer,
    configuration,
    decoded,
    descriptor,
    encoded,
    hexadecimal,
    listed,
    made,
    manifest,
    parsed,
    text,
    without,
)
from ecns.api.images.upload.spool import Stored
from ecns.api.images.upload.tar import refused

ZSTD_LAYER = f"{DOCKER_LAYER}.zstd"
FOREIGN_LAYER = f"{DOCKER_FOREIGN}.gzip"


def read(files: Files, listing: Stored) -> Contents:
    """The images that `manifest.json` lists.

    Raises:
        BadRequestError: something is missing or wrong.
    """
    found = decoded(files.read(listing, LARGEST), listing.name)
    if isinstance(found, dict):
        raise refused(
            "'manifest.json' is one manifest, as in a directory of skopeo's or podman's (dir:, docker-dir); "
            "save the image as docker-archive or oci-archive"
        )
    entries = listed(found, "'manifest.json'")
    contents = Contents()
    for entry in entries:
        if not isinstance(entry, dict):
            raise refused("'manifest.json' is not a list of objects")
        contents.add(_image(files, entry, contents))
    if not entries:
        raise refused("'manifest.json' lists no image")
    return contents


def _image(files: Files, entry: JsonObject, contents: Contents) -> Image:
    config_name = text(entry.get("Config"), "'manifest.json': Config")
    stored = files.find(config_name)
    if stored is None:
        raise refused(f"{config_name!r} is missing, which 'manifest.json' names")
    named = config_name.rpartition("/")[2].removesuffix(".json")
    if len(named) == 64 and not named.strip("0123456789abcdef") and named != stored.digest:  # noqa: PLR2004
        raise refused(f"{config_name!r} has another digest than its name: {stored.digest}")
    diff_ids = configuration(parsed(files, stored), config_name)
    names = [text(name, "'manifest.json': Layers") for name in listed(entry.get("Layers") or [], "Layers")]
    if len(names) != len(diff_ids):
        raise refused(
            f"'manifest.json' lists {len(names)} layers, the configuration of the image {len(diff_ids)}"
        )
    elsewhere = entry.get("LayerSources")
    layers = [
        _layer(files, name, diff_id, elsewhere if isinstance(elsewhere, dict) else {}, contents)
        for name, diff_id in zip(names, diff_ids, strict=True)
    ]
    tags = listed(entry.get("RepoTags") or [], "'manifest.json': RepoTags")
    references = tuple(text(tag, "'manifest.json': RepoTags") for tag in tags)
    node = manifest(DOCKER_MANIFEST, (DOCKER_CONFIG, as_pushed(stored)), layers)
    return Image(contents.keep(node), references)


def _layer(
    files: Files, name: str, diff_id: str, elsewhere: JsonObject, contents: Contents
) -> tuple[JsonObject, Blob | None]:
    stored = files.find(name)
    if stored is None:
        source = elsewhere.get(f"sha256:{diff_id}")
        if isinstance(source, dict) and source.get("urls"):
            return _foreign(source), None
        raise refused(f"layer {name!r} is missing, which 'manifest.json' names")
    contents.checks += check_layer(stored, diff_id, name)
    blob = as_pushed(stored)
    if stored.compression == "zstd":
        return descriptor(ZSTD_LAYER, blob), blob
    return descriptor(f"{DOCKER_LAYER}{SUFFIX[DOCKER_LAYER]}", blob), blob


def _foreign(source: JsonObject) -> JsonObject:
    """A layer that may not be given away, such as Windows' own, and is fetched from its maker."""
    hexadecimal(source.get("digest"), "'manifest.json': LayerSources")
    urls = [text(url, "LayerSources: urls") for url in listed(source["urls"], "LayerSources: urls")]
    size = source.get("size")
    if not isinstance(size, int) or any(not url.startswith(("http://", "https://")) for url in urls):
        raise refused("'manifest.json': LayerSources is broken")
    return {"mediaType": FOREIGN_LAYER, "size": size, "digest": source["digest"], "urls": urls}


# Before Docker 1.10: `repositories`, and for each layer a directory with its own `json` and `layer.tar`


def read_old(files: Files, repositories: Stored) -> Contents:
    """The images that `repositories` names.

    Raises:
        BadRequestError: something is missing or wrong.
    """
    contents = Contents()
    references: dict[str, list[str]] = {}
    for name, tags in parsed(files, repositories).items():
        if not isinstance(tags, dict):
            raise refused("'repositories' is not of Docker's form")
        for tag, top in tags.items():
            references.setdefault(text(top, "'repositories'"), []).append(f"{name}:{tag}")
    for top, names in references.items():
        contents.add(Image(contents.keep(_old_image(files, top)), tuple(names)))
    if not references:
        raise refused("'repositories' names no image")
    return contents


def _old_image(files: Files, top: str) -> Node:
    chain: list[tuple[JsonObject, Stored]] = []
    at = top
    while at:
        if len(chain) > LAYERS:
            raise refused(f"image {top!r} has more than {LAYERS} layers, or is its own parent")
        said, layer = files.find(f"{at}/json"), files.find(f"{at}/layer.tar")
        if said is None or layer is None:
            raise refused(f"layer {at!r} is missing")
        if not layer.packed and layer.size:
            raise refused(f"layer '{at}/layer.tar' is no tar archive")
        config = parsed(files, said)
        chain.append((config, layer))
        at = text(config.get("parent") or "", f"'{at}/json': parent")
    chain.reverse()
    config = without(chain[-1][0], "id", "parent", "Size", "parent_id", "layer_id", "throwaway")
    config.setdefault("architecture", "amd64")
    config.setdefault("os", "linux")
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for _, layer in chain]}
    config["history"] = [_history(said) for said, _ in chain]
    configuration(config, f"{top}/json")
    media_type = f"{DOCKER_LAYER}{SUFFIX[DOCKER_LAYER]}"
    blobs = [as_pushed(layer) for _, layer in chain]
    layers = [(descriptor(media_type, blob), blob) for blob in blobs]
    return manifest(DOCKER_MANIFEST, (DOCKER_CONFIG, made(encoded(config))), layers)


def _history(said: JsonObject) -> JsonObject:
    command = said.get("container_config")
    words = command.get("Cmd") if isinstance(command, dict) else None
    history = {key: said[key] for key in ("created", "author", "comment") if said.get(key)}
    if isinstance(words, list):
        history["created_by"] = " ".join(word for word in words if isinstance(word, str))
    return history
