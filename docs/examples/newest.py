"""The newest estimate of each face, with pyzmq alone, however long this program was busy or asleep.

    python newest.py [tcp://127.0.0.1:5556]

Messages wait for a subscriber that doesn't read: after a sleep, old ones come first. So it reads all that waits at
once, keeps the last of each topic, and passes over what is too old. ZeroMQ's own ZMQ_CONFLATE cannot be used: it keeps
one message in all, and only ones of a single frame.
"""

import json
import sys
import time

import zmq

MAX_AGE_S = 0.5


def newest_of_each_topic(socket: "zmq.Socket[bytes]") -> dict[bytes, bytes]:
    """Wait for a message; then topics and payloads of all that waits, the last one of each topic alone."""
    topic, payload = socket.recv_multipart()
    found = {topic: payload}
    while socket.poll(0):
        topic, payload = socket.recv_multipart()
        found.pop(topic, None)  # so that the newest stands last
        found[topic] = payload
    return found


def is_fresh(estimate: dict[str, object]) -> bool:
    """False for what was captured too long ago; the time of a file that is read offline is its own, and never old."""
    captured_ns = estimate["t_capture_ns"]
    assert isinstance(captured_ns, int)
    return not estimate.get("latency_ms") or time.time_ns() - captured_ns < MAX_AGE_S * 1e9


def main() -> None:
    """Print the newest estimates ten times a second, as a program does that has other work to do."""
    address = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5556"
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.connect(address)
        socket.subscribe(b"affect/")
        while True:
            for payload in newest_of_each_topic(socket).values():
                estimate = json.loads(payload)
                if is_fresh(estimate):
                    words = (str(estimate[name]) for name in ("stream", "track", "valence", "arousal"))
                    sys.stdout.write(" ".join(words) + "\n")
                    sys.stdout.flush()
            time.sleep(0.1)


if __name__ == "__main__":
    main()
