"""What is said beside valence, arousal and emotions: a line for each further output of the most important faces.

Lenses come first, in the order in which the stream declares them, then whatever else an estimate holds: a voice, or
what a later version adds. Each value is a name, a scale with its interval, and a number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET
from rich.cells import cell_len
from rich.segment import Segment

from streamaffect.messages import HeadMeta
from streamaffect.sinks.display.bars import gauge
from streamaffect.sinks.display.faces import emotion_head, face_name, most_important, signed
from streamaffect.sinks.display.lines import BOLD, FAINT, PLAIN, Line, clean, clip, face_style, line, pad, wrap
from streamaffect.sinks.display.state import DisplayState, FaceState
from streamaffect.text.regions import regions_in_words

FACES_MAX = 2
FACE_WIDTH, NAME_WIDTH = 7, 11
ALL_SHOWN = 4  # values of an output that stand in their own order; of more the largest come first
HEAD_ANGLES = ("yaw", "pitch", "roll")
LEAST_ACTIVE = 0.15  # of a unit, to be worth a word
GAUGE_WIDTH, GAUGE_WIDTH_NARROW = 7, 5
LEAST_SHOWN = 3  # values, before their scales become narrow, and then none
WORDS_ROWS = 2  # for the sentence about a face
GAP = "  "

Span = tuple[float, float]
Named = Mapping[str, float]

SHARE, SIGNED = (0.0, 1.0), (-1.0, 1.0)


class Item(NamedTuple):
    """One value to be drawn. span: of its scale; None where that is not known."""

    label: str
    value: float
    interval: Span | None
    span: Span | None


def output_metas(state: DisplayState, stream: str) -> list[HeadMeta]:
    """What a stream says beside its main values: its lenses, then outputs that it does not declare as such."""
    known = state.streams.get(stream)
    if known is None:
        return []
    heads = known.meta.heads if known.meta is not None else []
    lenses = [head for head in heads if isinstance(head.lens, str)]
    drawn = {emotion_head(state, stream), *(lens.name for lens in lenses)}
    declared = {head.name: head for head in heads}
    others = [name for name in known.outputs if name not in drawn]
    return lenses + [declared.get(name, HeadMeta(name=name, kind="", outputs=[])) for name in others]


def lens_rows(state: DisplayState, room: int, *, most: int) -> int:
    """How many lines the outputs get: as many for every frame, so that nothing jumps.

    room: for those of several faces; most: for those of one
    """
    outputs = max((_lines_of(state, stream) for stream in state.streams), default=0)
    if not outputs:
        return 0
    faces = min(FACES_MAX, max(1, len(state.faces)))
    while faces > 1 and faces * outputs + 1 > room:
        faces -= 1
    return min(faces * outputs + 1, max(0, room if faces > 1 else most))


def _lines_of(state: DisplayState, stream: str) -> int:
    """Lines for each face of a stream."""
    return len(output_metas(state, stream)) + WORDS_ROWS * state.streams[stream].is_described


def lens_block(state: DisplayState, width: int, rows: int) -> list[Line]:
    """A line of space and at most `rows` − 1 lines of outputs, of the visible and large faces first."""
    if rows < 2:
        return []
    several = len(state.streams) > 1
    lines: list[Line] = []
    for face in most_important(state):
        metas = output_metas(state, face.estimate.stream)
        if len(lines) + _lines_of(state, face.estimate.stream) > rows - 1 and lines:
            break
        name = face_name(face, several=several)
        words = _words(face, name, width) if state.streams[face.estimate.stream].is_described else []
        its = [*words, *(_row(face, "" if i or words else name, meta, width) for i, meta in enumerate(metas))]
        room = max(1, rows - 1 - len(lines))
        if len(its) > room:
            left_out = [meta.name for meta in metas[max(0, room - 1 - len(words)) :]]
            its = [*its[: room - 1], _left_out(left_out, width)]
        lines += its
    return [[Segment("")], *lines]


def _words(face: FaceState, name: str, width: int) -> list[Line]:
    """The sentence about a face, always in as many lines."""
    texts = wrap(clean(face.description), width - FACE_WIDTH, WORDS_ROWS)
    texts += [""] * (WORDS_ROWS - len(texts))
    heads = [Segment(pad(clean(name), FACE_WIDTH), face_style(face.slot, bold=True)), Segment(" " * FACE_WIDTH)]
    return [[head, Segment(text, PLAIN)] for head, text in zip(heads, texts, strict=True)]


def _left_out(names: Sequence[str], width: int) -> Line:
    words = f"+{len(names)} more in a higher terminal: {', '.join(names)}"
    return line(" " * FACE_WIDTH + clip(clean(words), width - FACE_WIDTH), FAINT)


def _row(face: FaceState, name: str, meta: HeadMeta, width: int) -> Line:
    head = [
        Segment(pad(clean(name), FACE_WIDTH), face_style(face.slot, bold=True)),
        Segment(pad(clean(meta.name), NAME_WIDTH - 1) + " ", BOLD),
    ]
    room = width - FACE_WIDTH - NAME_WIDTH
    values = face.values(meta.name)
    unclear = _not_understood(meta)
    if not values:
        return [*head, Segment(clip(unclear or "–", room), FAINT)]
    if meta.kind == "map":
        return [*head, Segment(clip(regions_in_words(values), room))]
    if meta.kind == "moments":
        return [*head, *_moments(values, meta, face.slot, room)]
    items = _items(face, meta, values)
    if not items:
        return [*head, Segment(clip(_NOTHING.get(meta.kind, "–"), room), FAINT)]
    if not unclear:
        return [*head, *_drawn(items, face.slot, room)]
    note = clip(f"{GAP}{unclear}", room // 2)
    return [*head, *_drawn(items, face.slot, room - cell_len(note)), Segment(note, FAINT)]


def _not_understood(meta: HeadMeta) -> str:
    """Of the user's sentences, those that have no value."""
    names = [str(one["name"]) for one in meta.outputs if one.get("understood") is False]
    return clean(f"not understood: {', '.join(names)}") if names else ""


def _moments(values: Named, meta: HeadMeta, slot: int, room: int) -> Line:
    """The shares of the last clips, the oldest first as in the sparkline above, and which of them counts most."""
    labels = {str(one["name"]): str(one.get("label") or one["name"]) for one in meta.outputs}
    shares = list(values.values())[::-1]
    blocks = "".join(_BLOCKS[min(7, int(8 * max(0.0, share)))] * 2 for share in shares)
    best = max(values, key=lambda name: values[name])
    words = f" now  most: {labels.get(best, best)}, {100 * values[best]:.0f} %"
    return [
        Segment("then ", FAINT),
        Segment(blocks, face_style(slot)),
        Segment(clip(clean(words), room - 5 - len(blocks))),
    ]


_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTHING = {"units": f"no unit above {LEAST_ACTIVE}"}


def _items(face: FaceState, meta: HeadMeta, values: Named) -> list[Item]:
    """What is shown of an output, in the order in which it is."""
    declared = {str(one["name"]): one for one in meta.outputs}
    labels = {name: str(declared.get(name, {}).get("label") or name) for name in values}
    given = face.estimate.output_intervals
    intervals = {} if given is UNSET else given.get(meta.name, {})
    names = _CHOICES.get(meta.kind, _largest)(values)
    word = _WORDS.get(meta.kind, _label)
    return [
        Item(
            clean(word(name, labels[name])),
            values[name],
            intervals.get(name),
            _span(name, declared.get(name, {}).get("range"), values[name], intervals.get(name)),
        )
        for name in names
    ]


def _active(values: Named) -> list[str]:
    """The units that move, the strongest first."""
    return [name for name in sorted(values, key=lambda name: -values[name]) if values[name] >= LEAST_ACTIVE]


def _head_first(values: Named) -> list[str]:
    """Of a mesh: how the head is turned, the eyes, and the movements that are there, the strongest first."""
    first = [name for name in (*HEAD_ANGLES, *values) if name in HEAD_ANGLES or name.endswith("_eye_open")]
    movements = {name: value for name, value in values.items() if "_" not in name and name not in HEAD_ANGLES}
    return [*dict.fromkeys(name for name in first if name in values), *_active(movements)]


def _largest(values: Named) -> list[str]:
    if len(values) <= ALL_SHOWN:
        return list(values)
    return sorted(values, key=lambda name: -values[name])


def _label(name: str, label: str) -> str:  # noqa: ARG001 - the label says it all
    return label


def _unit_word(name: str, label: str) -> str:
    return f"{name.removeprefix('AU').lstrip('0')} {label}"


_CHOICES: Mapping[str, Callable[[Named], list[str]]] = {"units": _active, "mesh": _head_first, "prompts": list}
_WORDS: Mapping[str, Callable[[str, str], str]] = {"units": _unit_word}


def _span(name: str, declared: object, value: float, interval: Span | None) -> Span | None:
    """The scale of a value: as declared, else the usual one that it lies in, None where none is usual."""
    if isinstance(declared, list | tuple) and len(declared) == 2 and declared[0] < declared[1]:
        return declared[0], declared[1]
    low, high = (value, value) if interval is None else interval
    if name not in ("valence", "arousal") and min(low, value) >= 0.0 and max(high, value) <= 1.0:
        return SHARE
    return SIGNED if min(low, value) >= -1.0 and max(high, value) <= 1.0 else None


def _drawn(items: Sequence[Item], slot: int, room: int) -> Line:
    """As many as there is room for, and the number of those that are left out: scales give way before values do."""
    shown = _with_scales(items, slot, room, GAUGE_WIDTH)
    for cells in (GAUGE_WIDTH_NARROW, 0):
        if len(shown) < min(len(items), LEAST_SHOWN):
            shown = _with_scales(items, slot, room, cells)
    left_out = len(items) - len(shown)
    more = [Segment(f"{GAP}+{left_out}", FAINT)] if left_out else []
    return [*(segment for item in shown for segment in item), *more]


def _with_scales(items: Sequence[Item], slot: int, room: int, cells: int) -> list[Line]:
    shown: list[Line] = []
    used = 0
    for i, item in enumerate(items):
        drawn = _one(item, slot, cells, first=not shown)
        used += sum(cell_len(segment.text) for segment in drawn)
        rest = len(items) - i - 1
        if shown and used + (len(f"{GAP}+{rest}") if rest else 0) > room:
            break
        shown.append(drawn)
    return shown


def _one(item: Item, slot: int, cells: int, *, first: bool) -> Line:
    number = signed(item.value) if item.span is None or item.span[0] < 0 else f"{item.value:.2f}"
    label = Segment(f"{'' if first else GAP}{item.label} ", PLAIN)
    if not cells or item.span is None:
        return [label, Segment(number, PLAIN)]
    scale = gauge(item.value, item.interval, item.span, cells)
    return [label, Segment(scale, face_style(slot)), Segment(f" {number}", PLAIN)]
