"""Messages as Open Sound Control 1.0: `/affect/<stream>/<face>/valence` and its siblings, in bundles.

A bundle carries the capture time as its time tag, and holds what was estimated of one face at that time.
"""

from collections.abc import Iterator, Sequence

from streamaffect.messages import Estimate, Event, Health, Voice

Argument = int | float | str
Part = tuple[str, Sequence[Argument]]  # an address and its arguments

MOST_BYTES = 1400  # of a datagram that no network has to cut
BUNDLE_HEAD = b"#bundle\0"


def parts_of_estimate(estimate: Estimate, face: int) -> Iterator[Part]:
    """What a bundle says of a face. Where there is no value there is no message of it either."""
    at = f"/affect/{_word(estimate.stream)}/{face}"
    yield f"{at}/status", [estimate.status]
    for name in ("valence", "arousal", "valence_relative", "arousal_relative"):
        value = getattr(estimate, name)
        if isinstance(value, float | int):
            yield f"{at}/{name}", [float(value)]
    for name in ("valence_interval", "arousal_interval"):
        interval = getattr(estimate, name)
        if interval is not None:
            yield f"{at}/{name}", [float(interval[0]), float(interval[1])]
    if estimate.quality is not None:
        yield f"{at}/quality", [float(estimate.quality)]
    yield f"{at}/box", [float(part) for part in estimate.box]
    if estimate.status != "abstain":
        for head, values in estimate.outputs.items():
            for name, value in values.items():
                yield f"{at}/{_word(head)}/{_word(name)}", [float(value)]


def parts_of_voice(voice: Voice, face: int | None) -> Iterator[Part]:
    """`/voice/<stream>/…`: state, the face's number or -1, and what is heard, where there is something."""
    at = f"/voice/{_word(voice.stream)}"
    yield f"{at}/state", [voice.state]
    yield f"{at}/face", [-1 if face is None else face]
    if voice.activity is not None:
        yield f"{at}/activity", [float(voice.activity)]
    if voice.arousal is not None:
        yield f"{at}/arousal", [float(voice.arousal)]
    if voice.arousal_interval is not None:
        yield f"{at}/arousal_interval", [float(end) for end in voice.arousal_interval]


def parts_of_event(event: Event, face: int | None) -> Iterator[Part]:
    """`/event/<stream>`: its name, the face's number or -1, and a marker's label or else its detail."""
    text = event.label if isinstance(event.label, str) else event.detail
    yield f"/event/{_word(event.stream)}", [event.event, -1 if face is None else face, text]


def parts_of_health(health: Health) -> Iterator[Part]:
    """`/health/<stream>/…`: state, faces in view, frames per second, and latency where it is known."""
    at = f"/health/{_word(health.stream)}"
    yield f"{at}/state", [health.state]
    yield f"{at}/faces", [health.faces]
    yield f"{at}/fps", [float(health.fps_out)]
    if health.latency_ms is not None:
        yield f"{at}/latency_ms", [float(health.latency_ms.p95)]


def datagrams(parts: Iterator[Part], t_ns: int | None) -> Iterator[bytes]:
    """The parts as bundles, as few as datagrams allow.

    t_ns: UTC nanoseconds of the time tag; None is "immediately"
    """
    from pythonosc.parsing import ntp

    tag = ntp.IMMEDIATELY if t_ns is None else ntp.system_time_to_ntp(t_ns / 1e9)
    head = BUNDLE_HEAD + tag
    content = head
    for address, arguments in parts:
        message = _encoded(address, arguments)
        element = len(message).to_bytes(4, "big") + message
        if len(content) > len(head) and len(content) + len(element) > MOST_BYTES:
            yield content
            content = head
        content += element
    if len(content) > len(head):
        yield content


def _encoded(address: str, arguments: Sequence[Argument]) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    encoded: bytes = builder.build().dgram
    return encoded


def _word(name: str) -> str:
    """A name as a part of an address, without the characters that OSC keeps for patterns."""
    return "".join("_" if one in " #*,/?[]{}" else one for one in name)
