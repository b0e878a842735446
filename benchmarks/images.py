"""Uploading images against skopeo: the same file to the same registry in the same run.

Once through everything, from curl to the embedded Harbor; and once without HTTP before it, to Debian's
docker-registry. Half of each layer is random, half is text. Each begins with an empty registry, nothing of an
earlier one left to write to the disk, and a skopeo that remembers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.api.images.upload.driving import Everybodys
from tests.identity.callers import caller

from ecns.api.images.upload.service import Uploads
from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.registry import Registry
from ecns.config import Harbor as HarborSettings
from ecns.config import Uploads as Settings

MIB = 1024 * 1024
ROUNDS = 3
MEMORIES = [
    Path("~/.local/share/containers/cache").expanduser() / name
    if os.getuid()
    else Path("/var/lib/containers/cache") / name
    for name in ("blob-info-cache-v1.boltdb", "blob-info-cache-v1.sqlite")
]
"""Where skopeo remembers what it pushed."""
POOL = 64
"""MiB of random bytes that pieces are taken from: too far apart for gzip to see them again."""


def archive(path: Path, mib: int, layers: int) -> None:
    """What `docker save` writes of an image of this size."""
    source = random.Random(7)  # noqa: S311  the same each time
    pool = source.randbytes(POOL * MIB)
    words = [
        bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz", k=source.randint(3, 9))) for _ in range(2000)
    ]
    text = b" ".join(source.choices(words, k=4 * MIB // 6))
    diff_ids, names = [], []
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w") as saved:
        for number in range(layers):
            files = mib // layers
            size = files * (MIB + 512) + 1024
            info = tarfile.TarInfo(f"{number}/layer.tar")
            info.size = size
            file.write(info.tobuf())
            digest = hashlib.sha256()
            for at in range(files):
                name = tarfile.TarInfo(f"file-{at}")
                name.size = MIB
                begin = source.randrange(POOL * MIB // 2) if at % 2 else source.randrange(len(text) - MIB)
                content = (pool if at % 2 else text)[begin : begin + MIB]
                for piece in (name.tobuf(), content):
                    digest.update(piece)
                    file.write(piece)
            digest.update(bytes(1024))
            file.write(bytes(1024) + bytes(-size % 512))
            diff_ids.append(f"sha256:{digest.hexdigest()}")
            names.append(info.name)
        saved.offset = file.tell()
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        listing = json.dumps([{"Config": name, "RepoTags": ["big:1"], "Layers": names}]).encode()
        for member, content in ((name, config), ("manifest.json", listing)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            saved.addfile(info, io.BytesIO(content))


@contextlib.contextmanager
def peak(pid: int) -> Iterator[Callable[[], int]]:
    """The most MiB that a process has resident, looked at again and again."""
    most, over = 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.02):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    most = max(most, int(line.split()[1]) // 1024)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: most
    finally:
        over.set()
        thread.join()


def cpu(pid: int) -> float:
    """Seconds of processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(command: list[str]) -> dict[str, float]:
    """Seconds of a program, and of processor in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"s": round(seconds, 2), "s of processor": round(used, 2)}


def skopeo(source: Path, target: str, *more: str) -> dict[str, float]:
    for memory in MEMORIES:
        memory.unlink(missing_ok=True)
    return timed(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *more),
            *(f"docker-archive:{source}", f"docker://{target}"),
        ]
    )


class Whole:
    """A gateway on its embedded default."""

    def __init__(self, folder: Path) -> None:
        told = folder / "data" / "embedded.json"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecns.cli", "serve", "--port", "0", "--data-dir", str(folder / "data")],
            stdout=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
        )
        while not told.exists():
            assert self.process.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.05)
        self.facts = json.loads(told.read_text())
        self.api = f"{self.facts['url']}/api/ecns/image/images"
        command = [sys.executable, "-m", "ecns.cli", "token", "--user", "developer"]
        said = subprocess.run(
            [*command, "--data-dir", str(folder / "data")], capture_output=True, text=True, check=True
        )
        self.token = said.stdout.strip()
        body = json.dumps({"harbor_project_name": "bench", "public": "false"}).encode()
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.api}/harbor_project", body, headers)  # noqa: S310  our own
        urllib.request.urlopen(request).close()  # noqa: S310  our own

    def upload(self, source: Path, name: str) -> dict[str, float]:
        used = cpu(self.process.pid)
        with peak(self.process.pid) as most:
            figures = timed(
                [
                    *("curl", "-sSf", "-H", f"X-Auth-Token: {self.token}"),
                    *(
                        "-F",
                        "harbor_project_name=bench",
                        "-F",
                        f"image_name={name}",
                        "-F",
                        f"image=@{source}",
                    ),
                    f"{self.api}/upload_image/",
                ]
            )
        used = cpu(self.process.pid) - used
        return {"s": figures["s"], "s of processor": round(used, 2), "MiB of memory": most()}

    def skopeo(self, source: Path, name: str) -> dict[str, float]:
        harbor = self.facts["harbor"]
        account = f"{harbor['username']}:{harbor['password']}"
        return skopeo(source, f"{harbor['domain']}/bench/{name}:1", "--dest-creds", account)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Debian's registry; where it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        domain = f"127.0.0.1:{free.getsockname()[1]}"
    settings = folder / "registry.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {domain}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"http://{domain}/v2/").close()
                break
            time.sleep(0.05)
        yield domain
    finally:
        process.terminate()
        process.wait(10)


def without_http(source: Path, domain: str, name: str, folder: Path) -> dict[str, float]:
    """The upload alone, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.images", "push", str(source), domain, name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _push(source: Path, domain: str, name: str, folder: Path) -> dict[str, float]:
    harbor = Harbor(HarborSettings(url=f"http://{domain}"))
    shared = Uploads(Settings(directory=folder / "uploads"), Registry(harbor.transport))
    shared.start()
    fields = {"harbor_project_name": "bench", "image_name": name}
    head = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    )
    head += b'--b\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n'
    file = source.open("rb", buffering=0)

    async def receive() -> dict[str, Any]:
        nonlocal head
        if head:
            piece, head = head, b""
            return {"type": "http.request", "body": piece, "more_body": True}
        if piece := await asyncio.to_thread(file.read, 256_000):
            return {"type": "http.request", "body": piece, "more_body": True}
        return {"type": "http.request", "body": b"\r\n--b--\r\n", "more_body": False}

    began, used = time.perf_counter(), time.process_time()
    async with shared.begin(Everybodys(), caller(), dry_run=False) as upload:  # type: ignore[arg-type]
        await upload.receive("multipart/form-data; boundary=b", None, receive)
        await upload.push()
    figures = {
        "s": round(time.perf_counter() - began, 2),
        "s of processor": round(time.process_time() - used, 2),
    }
    shared.close()
    await harbor.close()
    return figures


@contextlib.contextmanager
def whole(folder: Path) -> Iterator[Whole]:
    """A new gateway."""
    gateway = Whole(folder)
    try:
        yield gateway
    finally:
        gateway.stop()
        shutil.rmtree(folder / "data")


@contextlib.contextmanager
def bare(folder: Path) -> Iterator[str]:
    """A new docker-registry."""
    with docker_registry(folder) as domain:
        yield domain
    shutil.rmtree(folder / "registry")


def contest(source: Path, folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """One round: the figures of each, by what it is."""

    def ours() -> Iterator[tuple[str, dict[str, float]]]:
        with whole(folder) as gateway:
            yield "curl, ECNS, embedded Harbor", gateway.upload(source, "ecns")
            yield "again by curl", gateway.upload(source, "ecns")

    def theirs() -> Iterator[tuple[str, dict[str, float]]]:
        with whole(folder) as gateway:
            yield "skopeo to embedded Harbor", gateway.skopeo(source, "skopeo")

    def ours_bare() -> Iterator[tuple[str, dict[str, float]]]:
        with bare(folder) as domain:
            yield "ECNS to docker-registry", without_http(source, domain, "ecns", folder)
            yield "again by ECNS", without_http(source, domain, "ecns", folder)

    def theirs_bare() -> Iterator[tuple[str, dict[str, float]]]:
        with bare(folder) as domain:
            yield "skopeo to docker-registry", skopeo(source, f"{domain}/bench/skopeo:1")

    for one in (ours, theirs, ours_bare, theirs_bare):
        os.sync()
        yield from one()


def run(sizes: list[int], folder: Path) -> dict[str, Any]:
    """All figures, by what they are of: the medians of the rounds, with the load that the machine had."""
    results: dict[str, Any] = {}
    if not all(map(shutil.which, ("skopeo", "docker-registry", "curl"))):
        return {"images": {"not measured": "skopeo, docker-registry or curl is not here"}}
    for mib in sizes:
        source = folder / f"{mib}.tar"
        archive(source, mib, 8 if mib > 1000 else 5)
        rounds = [dict(contest(source, folder)) for _ in range(ROUNDS)]
        load = {"load": round(os.getloadavg()[0], 1)}
        for what in rounds[0]:
            middle = {key: statistics.median(one[what][key] for one in rounds) for key in rounds[0][what]}
            results[f"image of {mib} MiB: {what}"] = middle | load
        for ours, theirs in (
            ("ECNS to docker-registry", "skopeo to docker-registry"),
            ("curl, ECNS, embedded Harbor", "skopeo to embedded Harbor"),
        ):
            ratios = sorted(round(one[ours]["s"] / one[theirs]["s"], 2) for one in rounds)
            figures = {"ratio": statistics.median(ratios), "best": ratios[0], "worst": ratios[-1]}
            results[f"image of {mib} MiB: {ours}, against skopeo"] = figures
        source.unlink()
    return results


def main() -> None:
    if sys.argv[1:2] == ["push"]:
        source, domain, name, folder = sys.argv[2:]
        figures = asyncio.run(_push(Path(source), domain, name, Path(folder)))
        status = Path("/proc/self/status").read_text()
        figures["MiB of memory"] = int(status.partition("VmHWM:")[2].split()[0]) // 1024
        print(json.dumps(figures))
        return
    folder = Path(tempfile.mkdtemp(prefix="ecns-bench-images-"))
    try:
        for name, figures in run([int(size) for size in sys.argv[1:]] or [400, 4096], folder).items():
            print(f"{name}: {', '.join(f'{value} {unit}' for unit, value in figures.items())}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
