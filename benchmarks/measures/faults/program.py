"""The program as a user starts it, on a machine whose name server can fail.

`camera.example` is this machine. A line on standard input is "unknown" or "known": whether names can be looked up.
"""

import socket
import sys
import threading

from streamaffect.cli import main as run

NAME = "camera.example"
LOOPBACK = "127.0.0.1"


def main() -> int:
    """Run the command line that was given."""
    is_known = threading.Event()
    is_known.set()
    look_up = socket.getaddrinfo

    def look_up_here(host: str, *rest: object, **more: object) -> object:
        if host == NAME and not is_known.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "nobody knows")
        return look_up(LOOPBACK if host == NAME else host, *rest, **more)  # type: ignore[arg-type]

    def listen() -> None:
        for line in sys.stdin:
            (is_known.set if line.strip() == "known" else is_known.clear)()

    socket.getaddrinfo = look_up_here  # type: ignore[assignment]
    threading.Thread(target=listen, daemon=True).start()
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
