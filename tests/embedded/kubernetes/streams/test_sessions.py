from __future__ import annotations

import base64
from typing import Any

import aiohttp
import msgspec
import pytest
from tests.embedded.kubernetes.streams.conftest import Served

V5, V4, PLAIN, BASE64 = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io"
STAY = "trap 'exit 0' TERM; sleep 1000 & wait"
HI = ["sh", "-c", "echo hi; echo err >&2; exit 3"]


def _query(*command: str, **wishes: str) -> list[tuple[str, str]]:
    return [("command", word) for word in command] + list(
        (wishes or {"stdout": "true", "stderr": "true"}).items()
    )


async def _frames(socket: Any) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            found.append((int(message.data[0]), base64.b64decode(message.data[1:])))
        else:
            found.append((message.data[0], message.data[1:]))
    return found


def _joined(frames: list[tuple[int, bytes]], channel: int) -> bytes:
    return b"".join(data for number, data in frames if number == channel)


@pytest.mark.parametrize(
    ("offered", "chosen", "error"),
    [
        ((V5,), V5, "command terminated with exit code 3"),
        ((V4, V5), V5, "command terminated with exit code 3"),
        ((V4,), V4, "error executing command [sh -c echo hi; echo err \\u003e\\u00262; exit 3], exit code 3"),
        ((BASE64,), BASE64, "error executing command [sh -c echo hi; echo err >&2; exit 3], exit code 3"),
        ((PLAIN,), PLAIN, "error executing command [sh -c echo hi; echo err >&2; exit 3], exit code 3"),
    ],
)
async def test_output_and_exit_code_in_each_protocol(
    served: Served, offered: tuple[str, ...], chosen: str, error: str
) -> None:
    await served.pod("box", STAY)
    async with served.connect("box/exec", _query(*HI), *offered) as socket:
        assert socket.protocol == chosen
        frames = await _frames(socket)
        assert socket.close_code == 1000
    assert frames[0] == (1, b"")
    assert (_joined(frames, 1), _joined(frames, 2)) == (b"hi\n", b"err\n")
    status = _joined(frames, 3).decode()
    assert error in status
    if chosen in {V5, V4}:
        assert msgspec.json.decode(status)["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_success_is_a_status_too_and_unwanted_streams_are_left_out(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.connect(
        "box/exec", _query("sh", "-c", "echo hi; echo err >&2", stdout="true"), V5
    ) as socket:
        frames = await _frames(socket)
    assert frames[1:] == [(1, b"hi\n"), (3, b'{"metadata":{},"status":"Success"}')]


async def test_standard_input_ends_by_channel_255(served: Served) -> None:
    await served.pod("box", STAY)
    query = _query("cat", stdin="true", stdout="true")
    async with served.connect("box/exec", query, V5) as socket:
        await socket.receive_bytes()
        await socket.send_bytes(b"\x00hello\n")
        assert await socket.receive_bytes() == b"\x01hello\n"
        await socket.send_bytes(b"\xff\x00")
        assert (await _frames(socket)) == [(3, b'{"metadata":{},"status":"Success"}')]


async def test_a_terminal_echoes_prompts_and_resizes(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.connect(
        "box/exec", _query("sh", stdin="true", stdout="true", tty="true"), V5
    ) as socket:
        await socket.send_bytes(b'\x04{"Width": 100, "Height": 40}')
        await socket.send_bytes(b"\x00stty size\r")
        await socket.send_bytes(b"\x00exit 5\r")
        frames = await _frames(socket)
    shown = _joined(frames, 1)
    assert b"BusyBox" in shown
    assert b"stty size\r\n40 100\r\n/ # \x1b[6n" in shown
    assert b"exit code 5" in _joined(frames, 3)


@pytest.mark.parametrize(
    ("image", "shell", "prompt"),
    [
        ("nginx:1.27", "bash", b"root@box:/# "),
        ("busybox:1.35", "sh", b"/ # \x1b[6n"),
        ("alpine:3", "bash", None),
    ],
)
async def test_an_image_has_the_shells_that_it_has(
    served: Served, image: str, shell: str, prompt: bytes | None
) -> None:
    await served.pod("box", STAY, image=image)
    query = _query(shell, stdin="true", stdout="true", tty="true")
    async with served.connect("box/exec", query, V5) as socket:
        await socket.send_bytes(b'\x04{"Width": 100, "Height": 40}')
        await socket.send_bytes(b"\x00exit\r")
        frames = await _frames(socket)
    if prompt is None:
        assert b"executable file not found" in _joined(frames, 3)
    else:
        assert prompt in _joined(frames, 1)
        assert (b"BusyBox" in _joined(frames, 1)) == (shell == "sh")


async def test_a_session_ends_with_its_container(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.connect("box/exec", _query("sleep", "1000"), V5) as socket:
        await socket.receive_bytes()
        served.cluster.delete("pods", "box", "default", grace_seconds=0)
        assert b"exit code 137" in _joined(await _frames(socket), 3)


async def test_control_c_interrupts(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.connect(
        "box/exec", _query("sleep", "60", stdin="true", stdout="true", tty="true"), V5
    ) as socket:
        await socket.send_bytes(b"\x00\x03")
        frames = await _frames(socket)
    assert _joined(frames, 1) == b"^C"
    assert b"exit code 130" in _joined(frames, 3)


async def test_what_one_command_writes_another_reads(served: Served) -> None:
    await served.pod("box", STAY)
    for command, output in ((["touch", "/home/here"], b""), (["ls", "/home"], b"here\n")):
        async with served.connect("box/exec", _query(*command), V5) as socket:
            assert _joined(await _frames(socket), 1) == output


async def test_a_command_that_does_not_exist(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.connect("box/exec", _query("nosuch"), V5) as socket:
        status = msgspec.json.decode(_joined(await _frames(socket), 3))
    assert status["reason"] == "InternalError"
    assert status["message"].endswith('exec: "nosuch": executable file not found in $PATH: unknown')


@pytest.mark.parametrize(
    ("path", "query", "protocol", "status"),
    [
        ("box/exec", _query("true"), "v9.channel.k8s.io", 403),
        ("box/exec", [("command", "true")], V5, 400),
        ("box/exec", _query("true", container="nosuch", stdout="true"), V5, 400),
        ("nosuch/exec", _query("true"), V5, 404),
        ("done/exec", _query("true"), V5, 500),
        ("done/attach", _query(), V5, 500),
        ("box/portforward", [("ports", "80")], V5, 501),
    ],
)
async def test_refusals_before_the_upgrade(
    served: Served, path: str, query: list[tuple[str, str]], protocol: str, status: int
) -> None:
    await served.pod("box", STAY)
    await served.pod("done", "true", phase="Succeeded")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await served.connect(path, query, protocol)
    assert refused.value.status == status


async def test_without_an_upgrade(served: Served) -> None:
    await served.pod("box", STAY)
    async with served.get("box/exec", command="true", stdout="true") as response:
        assert (response.status, (await response.json())["message"]) == (400, "Upgrade request required")


async def test_clients_of_spdy_hear_what_is_wrong_with_the_container_first(served: Served) -> None:
    await served.pod("box", STAY)
    await served.pod("done", "true", phase="Succeeded")
    spdy = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    async with served.get("done/attach", headers=spdy, stdout="true") as response:
        assert (await response.text()) == "container c not found in pod done_default"
    async with served.get("box/exec", headers=spdy, command="true", stdout="true") as response:
        assert response.status == 400
        assert "use kubectl 1.30 or later" in (await response.json())["message"]


async def test_a_command_that_has_said_all_is_not_attached_to(served: Served) -> None:
    """`kubectl run --rm -i` then shows the log, in which its words are."""
    await served.pod("short", "echo done")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await served.connect("short/attach", _query(stdout="true"), V5)
    assert refused.value.status == 500


async def test_attaching_shows_what_comes_and_feeds_input(served: Served) -> None:
    await served.pod("cat", "cat", stdin=True, stdinOnce=True)
    async with served.connect("cat/attach", _query(stdin="true", stdout="true"), V5) as socket:
        await socket.receive_bytes()
        await socket.send_bytes(b"\x00hello\n")
        assert await socket.receive_bytes() == b"\x01hello\n"
        await socket.send_bytes(b"\xff\x00")
        assert (await _frames(socket)) == [(3, b'{"metadata":{},"status":"Success"}')]
    await served.until("cat", "Succeeded")
