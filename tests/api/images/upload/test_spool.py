"""Where uploads lie: nothing of them stays, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecns.api.images.upload import spool as module
from ecns.api.images.upload.intake import Archive
from ecns.api.images.upload.spool import Root, Spool
from ecns.api.images.upload.unpacking import Budget
from ecns.config import ConfigError
from ecns.errors import BadRequestError, UnavailableError
from tests.api.images.upload import making

HOLDING = """
import sys, time
from pathlib import Path
from ecns.api.images.upload.spool import Root
root = Root(Path(sys.argv[1]))
with root.directory() as directory:
    (directory / "1").write_bytes(b"something")
    print(root.path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with ThreadPoolExecutor(2) as pool:
        made = Spool(tmp_path, pool, 2)
        yield made
        made.close()


def keep(spool: Spool, archive: bytes) -> None:
    taken = Archive(spool, Budget(1 << 30))
    taken.feed(memoryview(archive))
    taken.finish()


def test_a_directory_goes_with_its_upload_and_its_process(tmp_path: Path) -> None:
    root = Root(tmp_path / "uploads")
    with root.directory() as directory:
        (directory / "1").write_bytes(b"x")
        assert root.path.stat().st_mode & 0o077 == 0
    assert not directory.exists()
    root.close()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    above = tmp_path / "uploads"
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(above)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    try:
        Root(above).close()
        assert left.is_dir(), "it is in use"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    Root(above).close()
    assert not left.exists()


def test_directories_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"uploads\.directory"):
        Root(file)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    ours = tmp_path / f"ecns-uploads-{os.getuid()}"
    ours.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigError, match="not a directory that only this user may write"):
        Root(None)
    ours.unlink()
    ours.mkdir(mode=0o777)
    ours.chmod(0o777)
    with pytest.raises(ConfigError, match="only this user"):
        Root(None)
    ours.chmod(0o700)
    Root(None).close()


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spool: Spool) -> None:
    root = Root(tmp_path / "uploads")
    root.check(1)
    monkeypatch.setattr(module, "RESERVE", 1 << 60)
    with pytest.raises(UnavailableError, match="no disk space"):
        root.check(1)
    root.close()
    monkeypatch.setattr(module, "LOOK", 1000)
    with pytest.raises(UnavailableError, match="no disk space"):
        keep(spool, making.tar({"a": b"x" * 5000}))


def test_a_disk_that_is_full(tmp_path: Path, spool: Spool) -> None:
    """A real one: the kernel's own file that is always full."""
    output = spool.output(tmp_path / "new")
    output.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        output._file = full
        with pytest.raises(UnavailableError, match="no disk space"):
            output.write(b"x")


def test_layers_are_packed_and_all_else_is_kept(spool: Spool) -> None:
    layer = making.layer(**{"bin/sh": b"#!" * 9000})
    keep(spool, making.tar({"a/layer.tar": layer, "json": b"{}", "z.tar.gz": b"\x1f\x8b\x08 not looked at"}))
    found = spool.find("a/layer.tar")
    assert found is not None
    assert found.packed
    assert found.digest == making.sha(layer)
    assert found.path.stat().st_size == found.packed_size < len(layer)
    with pytest.raises(BadRequestError, match="too large"):
        spool.read(found, 1 << 30)
    json = spool.find("./json")
    assert json is not None
    assert spool.read(json, 10) == b"{}"
    assert (json.compression, json.packed) == (None, False)
    other = spool.find("z.tar.gz")
    assert other is not None
    assert other.compression == "gzip"
    assert sorted(path.name for path in spool.directory.iterdir()) == ["1", "2", "3"]


def test_links_are_followed_and_circles_are_not(spool: Spool) -> None:
    layer = making.layer(a=b"b")
    keep(
        spool,
        making.tar(
            {
                "a/l": making.link("a/l", "../b/l"),
                "b/l": making.link("b/l", "../real"),
                "real": layer,
                "c": making.link("c", "d"),
                "d": making.link("d", "c"),
                "gone": making.link("gone", "nowhere"),
            }
        ),
    )
    found = spool.find("a/l")
    assert found is not None
    assert found.name == "real"
    assert spool.find("gone") is None
    with pytest.raises(BadRequestError, match="circle"):
        spool.find("c")


def test_a_name_means_one_thing(tmp_path: Path) -> None:
    twice = [
        making.tar({"a": b"one"})[:1024] + making.tar({"a": b"two"}),
        making.tar({"a": b"one"})[:1024] + making.tar({"a": making.link("a", "b")}),
        making.tar({"a": making.link("a", "b")})[:512] + making.tar({"a": b"one"}),
        making.tar({"a": making.link("a", "b")})[:512] + making.tar({"a": making.link("a", "c")}),
    ]
    same = making.tar({"a": b"one"})[:1024] + making.tar({"a": b"one"})
    with ThreadPoolExecutor(1) as pool:
        for at, archive in enumerate(twice):
            (tmp_path / str(at)).mkdir()
            spool = Spool(tmp_path / str(at), pool, 1)
            with pytest.raises(BadRequestError, match="two different 'a'"):
                keep(spool, archive)
            spool.close()
        (tmp_path / "same").mkdir()
        keep(Spool(tmp_path / "same", pool, 1), same)


def test_sweeping_takes_no_time_for_what_is_alive(tmp_path: Path) -> None:
    began = time.monotonic()
    roots = [Root(tmp_path) for _ in range(20)]
    assert len({root.path for root in roots}) == 20
    for root in roots:
        root.close()
    assert time.monotonic() - began < 5
