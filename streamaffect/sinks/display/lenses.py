"""What the lenses say, in words and numbers: a line for each lens of the most important faces."""

from collections.abc import Callable, Mapping

from rich.segment import Segment

from streamaffect.sinks.display.faces import face_name, most_important
from streamaffect.sinks.display.lines import BOLD, FAINT, PLAIN, Line, clean, clip, face_style, pad
from streamaffect.sinks.display.state import DisplayState, FaceState
from streamaffect.text.regions import regions_in_words
from streamaffect.types import HeadMeta

FACES_MAX = 2
NAME_WIDTH = 9
SHOWN = 4  # values of a lens without a form of its own
LEAST_ACTIVE = 0.15  # of a unit or a score, to be worth a word

Named = Mapping[str, float]


def lens_metas(state: DisplayState, stream: str) -> list[HeadMeta]:
    """The lenses that a stream declares."""
    known = state.streams.get(stream)
    heads = known.meta.heads if known is not None and known.meta is not None else []
    return [head for head in heads if isinstance(head.lens, str)]


def lens_rows(state: DisplayState, room: int) -> int:
    """How many lines the lenses get: as many for every frame, so that nothing jumps."""
    lenses = max((len(lens_metas(state, stream)) for stream in state.streams), default=0)
    if not lenses:
        return 0
    faces = min(FACES_MAX, max(1, len(state.faces)))
    while faces > 1 and faces * lenses + 1 > room:
        faces -= 1
    return min(faces * lenses + 1, max(0, room))


def lens_block(state: DisplayState, width: int, rows: int) -> list[Line]:
    """A line of space and at most `rows` − 1 lines of lenses, of the visible and large faces first."""
    if rows < 2:
        return []
    several = len(state.streams) > 1
    lines: list[Line] = []
    for face in most_important(state):
        lenses = lens_metas(state, face.estimate.stream)
        if len(lines) + len(lenses) > rows - 1 and lines:
            break
        for i, lens in enumerate(lenses):
            name = face_name(face, several=several) if i == 0 else ""
            lines.append(_row(face, name, lens, width))
    return [[Segment("")], *lines][:rows]


def _row(face: FaceState, name: str, lens: HeadMeta, width: int) -> Line:
    values = face.estimate.outputs.get(lens.name)
    words = _NOTHING if not values else _FORMS.get(lens.kind, _largest)(values, _labels(lens))
    head = [
        Segment(pad(clean(name), 7), face_style(face.slot, bold=True)),
        Segment(pad(clean(lens.name), NAME_WIDTH), BOLD),
    ]
    return [*head, Segment(clip(clean(words), width - 7 - NAME_WIDTH), PLAIN if values else FAINT)]


_NOTHING = "–"


def _labels(lens: HeadMeta) -> Mapping[str, str]:
    return {str(one["name"]): str(one.get("label") or one["name"]) for one in lens.outputs}


def _units(values: Named, labels: Mapping[str, str]) -> str:
    """The active units, the strongest first: "12 lip corner puller 0.82"."""
    active = sorted(((value, name) for name, value in values.items() if value >= LEAST_ACTIVE), reverse=True)
    if not active:
        return "no unit above 0.15"
    return " · ".join(
        f"{name.removeprefix('AU').lstrip('0')} {labels.get(name, '')} {value:.2f}" for value, name in active
    )


def _map(values: Named, labels: Mapping[str, str]) -> str:  # noqa: ARG001
    return regions_in_words(values)


def _largest(values: Named, labels: Mapping[str, str]) -> str:
    best = sorted(values.items(), key=lambda item: item[1], reverse=True)[:SHOWN]
    return " · ".join(f"{labels.get(name, name)} {value:.2f}" for name, value in best)


_FORMS: Mapping[str, Callable[[Named, Mapping[str, str]], str]] = {"units": _units, "map": _map}
