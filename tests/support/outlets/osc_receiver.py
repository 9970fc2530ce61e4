"""A receiver of Open Sound Control 1.0, written from its specification alone: `python -m … osc_receiver`.

It prints its port, and then each bundle as a JSON line: time tag in seconds since 1970 (null is "immediately"), and the
messages with their arguments.
"""

import json
import socket
import struct
import sys

SINCE_1900_S = 2_208_988_800


def text(content: bytes, at: int) -> tuple[str, int]:
    """A string and where the next argument begins: zero-terminated, padded to four bytes. UTF-8, as all have it now."""
    end = content.index(b"\0", at)
    return content[at:end].decode(), end + 4 - end % 4


def message(content: bytes) -> list[object]:
    address, at = text(content, 0)
    tags, at = text(content, at)
    assert tags[0] == ","
    values: list[object] = [address]
    for tag in tags[1:]:
        if tag == "s":
            value, at = text(content, at)
            values.append(value)
        else:
            values.append(struct.unpack_from({"f": ">f", "i": ">i"}[tag], content, at)[0])
            at += 4
    assert at == len(content)
    return values


def bundle(content: bytes) -> dict[str, object]:
    assert content[:8] == b"#bundle\0"
    (tag,) = struct.unpack_from(">Q", content, 8)
    messages, at = [], 16
    while at < len(content):
        (size,) = struct.unpack_from(">i", content, at)
        assert size % 4 == 0
        messages.append(message(content[at + 4 : at + 4 + size]))
        at += 4 + size
    return {
        "at_s": None if tag == 1 else tag / 2**32 - SINCE_1900_S,
        "size": len(content),
        "messages": messages,
    }


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        sys.stdout.write(f"{receiver.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            sys.stdout.write(json.dumps(bundle(receiver.recv(65_536))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
