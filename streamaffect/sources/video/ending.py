"""Whether a file has ended before its end: compared with what its container states, or with the size of its packets."""

from pathlib import Path

from streamaffect.sources.video.container import Container

TRUNCATED_BELOW = 0.9  # of the length that is stated; lengths are often stated generously
SYNC = 0x47
TRANSPORT_PACKETS = ((188, 0), (192, 4))  # bytes of a packet, and of what stands before its sync byte


def ended_early(container: Container, track: int, *, stated_s: float | None) -> bool:
    """True where both the track and the longest of all tracks end well before what is stated for them.

    stated_s: where the track, of this index, should end, in seconds since the file's start
    """
    length_s = container.duration_s
    whole_ended = length_s is not None and container.reached_s() < TRUNCATED_BELOW * length_s
    return whole_ended and (stated_s is None or container.reached_s(track) < TRUNCATED_BELOW * stated_s)


def cut_within_a_packet(path: Path) -> bool:
    """True for an MPEG transport stream whose size is no multiple of its packets; it states no other length."""
    with path.open("rb") as file:
        head = file.read(2 * 192)
    for size, before in TRANSPORT_PACKETS:
        syncs = head[before : before + size + 1 : size]
        if len(syncs) == 2 and set(syncs) == {SYNC}:
            return path.stat().st_size % size != 0
    return False
