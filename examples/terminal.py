"""A terminal in a container, for a person or for a script that pipes commands into it.

    TOKEN=… python terminal.py http://…/api/ecns/eks/pod_exec/<namespace>/<pod>/<container>/

Ends with the shell's exit code. Needs the library `websockets`, which ECNS installs.
"""

import asyncio
import codecs
import contextlib
import json
import os
import signal
import sys
import termios
import tty

from websockets.asyncio.client import connect


async def main(url: str, token: str) -> int:
    loop, decode = asyncio.get_running_loop(), codecs.getincrementaldecoder("utf-8")("replace").decode
    async with connect(url.replace("http", "ws", 1), additional_headers={"X-Auth-Token": token}) as socket:
        tasks = set()

        def send(**message: object) -> None:
            tasks.add(loop.create_task(socket.send(json.dumps(message))))

        def resize() -> None:
            with contextlib.suppress(OSError):  # not a terminal
                columns, rows = os.get_terminal_size(0)
                send(Operation="resize", Cols=columns, Rows=rows)

        def read() -> None:
            if typed := os.read(0, 4096):
                send(Operation="stdin", Data=decode(typed))
            else:
                loop.remove_reader(0)
                send(Operation="stdin", Data="\x04")

        resize()
        loop.add_signal_handler(signal.SIGWINCH, resize)
        loop.add_reader(0, read)
        async for text in socket:
            message = json.loads(text)
            if message["Operation"] == "exit":
                print(message.get("Message", ""), file=sys.stderr)
                return int(message["Data"] or 255)
            os.write(1, message["Data"].encode())
    return 255


if __name__ == "__main__":
    before = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        if before is not None:
            tty.setraw(0)
        sys.exit(asyncio.run(main(sys.argv[1], os.environ["TOKEN"])))
    finally:
        if before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
