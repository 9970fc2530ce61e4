"""The rows of faces: number, valence and arousal with their intervals, the last seconds, emotions, status.

Every value is also there as a number or a word, so that neither colour nor shape is the only carrier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from streamaffect.messages import Estimate
from streamaffect.sinks.display.bars import bar
from streamaffect.sinks.display.lines import BOLD, FAINT, PLAIN, Line, clean, clip, face_style, faded_style, line, pad
from streamaffect.sinks.display.state import SAMPLE_PERIOD_NS, DisplayState, FaceState

NUMBER_WIDTH = 5
STATUS_WIDTH = 11
EMOTION_WIDTH = 14
NAME_WIDTH_MAX = 18
SPARK_SAMPLES = 5
SPARK_FADE = 0.35
SPARK_CELL_S = SPARK_SAMPLES * SAMPLE_PERIOD_NS / 1e9

_SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class FaceColumns:
    """How many cells each column of a face's row has; 0 leaves it out. Bars have an odd width, for a cell at zero."""

    name: int
    bar: int
    spark: int
    emotions: int

    @classmethod
    def for_width(cls, width: int, *, name: int) -> "FaceColumns":
        """Share a width out: first a number for each face, then bars, status, one emotion, then everything longer."""
        bar, spark, emotions = 0, 0, 0
        spare = width - (name + 2 * (NUMBER_WIDTH + 1) + 1 + STATUS_WIDTH)
        if spare >= 2 * 10:
            bar, spare = 9, spare - 2 * 10
        if bar and spare >= EMOTION_WIDTH + 1:
            emotions, spare = 1, spare - EMOTION_WIDTH - 1
        if bar and spare >= 6:
            spark, spare = 5, spare - 6
        while bar and bar < 31 and spare >= 6:  # a step longer costs each bar two cells and the sparkline two
            bar, spark, spare = bar + 2, spark + 2, spare - 6
            if emotions == 1 and bar >= 15 and spare >= EMOTION_WIDTH + 1:
                emotions, spare = 2, spare - EMOTION_WIDTH - 1
        return cls(name=name, bar=bar, spark=spark + spare if spark else 0, emotions=emotions)


def face_block(state: DisplayState, width: int, rows: int) -> list[Line]:
    """A heading and at most `rows` faces: visible and large ones first, "+3 more" for the rest."""
    shown, hidden = choose_faces(state, rows)
    several = len(state.streams) > 1
    names = {id(face): face_name(face, several=several) for face in shown}
    name_width = min(NAME_WIDTH_MAX, max([6, *(cell_len(name) + 2 for name in names.values())]))
    columns = FaceColumns.for_width(width, name=name_width)
    lines = [_heading(columns)]
    for face in shown:
        emotions = top_emotions(face.estimate, emotion_head(state, face.estimate.stream), columns.emotions)
        lines.append(_row(face, names[id(face)], emotions, columns))
    if hidden:
        numbers = ", ".join(face_name(face, several=several) for face in hidden)
        lines.append(line(clip(f"+{len(hidden)} more: {numbers}", width), FAINT))
    return lines


def choose_faces(state: DisplayState, rows: int) -> tuple[list[FaceState], list[FaceState]]:
    """The faces that get a row and those that do not. Where some do not, the last row is left for saying so."""
    everyone = most_important(state)
    room = rows if len(everyone) <= rows else max(0, rows - 1)
    return sorted(everyone[:room], key=_order), sorted(everyone[room:], key=_order)


def most_important(state: DisplayState) -> list[FaceState]:
    """All faces, the visible ones first and the larger before the smaller."""
    return sorted(state.faces.values(), key=_importance, reverse=True)


def face_name(face: FaceState, *, several: bool) -> str:
    """The number of the track, led by its stream where there are several."""
    estimate = face.estimate
    return f"{clean(estimate.stream)}/{estimate.track}" if several else str(estimate.track)


def sparkline(face: FaceState, width: int) -> str:
    """The valence of the last seconds, half a second in each cell, from ▁ at −1 to █ at 1; a gap where unknown."""
    cells: list[str] = []
    newest_ns = face.history[-1].t_ns if face.history else 0
    means = _means_by_age(face, newest_ns, width)
    for age in range(width - 1, -1, -1):
        mean = means.get(age)
        cells.append(" " if mean is None else _SPARKS[min(7, int((max(-1.0, min(1.0, mean)) + 1) * 4))])
    return "".join(cells)


def signed(value: float | None) -> str:
    """A value with its sign and two digits, "–" where there is none."""
    if value is None:
        return "–"
    return f"{'−' if round(value, 2) < 0 else '+'}{abs(value):.2f}"


def status_words(estimate: Estimate) -> str:
    """The status as a word of at most 11 letters; how far the context is filled while it warms up."""
    if estimate.status == "warming":
        return f"warming {min(99, round(100 * estimate.context_fill))}%"
    return estimate.status


def top_emotions(estimate: Estimate, head: str, count: int) -> list[str]:
    """The most probable classes of a head, the best first."""
    probabilities = estimate.outputs.get(head, {})
    best = sorted(probabilities.items(), key=lambda item: item[1], reverse=True)[:count]
    return [f"{clip(clean(name), EMOTION_WIDTH - 5)} {round(100 * share)}%" for name, share in best]


def emotion_head(state: DisplayState, stream: str) -> str:
    """The name of the first classification head that a stream declares; "emotions" until it has."""
    known = state.streams.get(stream)
    heads = known.meta.heads if known is not None and known.meta is not None else []
    return next((head.name for head in heads if head.kind == "classification"), "emotions")


def _importance(face: FaceState) -> tuple[bool, float, int]:
    estimate = face.estimate
    return estimate.status != "held", estimate.box.w * estimate.box.h, -estimate.track


def _order(face: FaceState) -> tuple[str, int]:
    return face.estimate.stream, face.estimate.track


def _means_by_age(face: FaceState, newest_ns: int, cells: int) -> dict[int, float]:
    """Mean valence of each half second, by how many half seconds it is old."""
    values: dict[int, list[float]] = {}
    for sample in reversed(face.history):
        # Half seconds of the stream's clock, not of the age: a cell that has scrolled by keeps its height.
        period_ns = SPARK_SAMPLES * SAMPLE_PERIOD_NS
        age = newest_ns // period_ns - sample.t_ns // period_ns
        if age >= cells:
            break
        if sample.valence is not None:
            values.setdefault(age, []).append(sample.valence)
    return {age: sum(several) / len(several) for age, several in values.items()}


def _heading(columns: FaceColumns) -> Line:
    parts = [pad("face", columns.name), _scale("valence", columns.bar), _scale("arousal", columns.bar)]
    if columns.spark:
        seconds = f"{columns.spark * SPARK_CELL_S:.0f} s"
        title = f"valence, {seconds}" if columns.spark >= 13 else f"val. {seconds}"
        parts.append(pad(title, columns.spark))
    if columns.emotions:
        parts.append(pad("emotion", columns.emotions * (EMOTION_WIDTH + 1) - 1))
    parts.append("status")
    return line(" ".join(parts), FAINT)


def _scale(title: str, bar_width: int) -> str:
    """A heading for number and bar, with 0 and +1 over their places."""
    if not bar_width:
        return pad(title[:3] + ".", NUMBER_WIDTH, right=True)
    zero = NUMBER_WIDTH + 1 + bar_width // 2
    return title.ljust(zero) + "0".ljust(bar_width // 2 - 1) + "+1"


def _row(face: FaceState, name: str, emotions: Sequence[str], columns: FaceColumns) -> Line:
    estimate = face.estimate
    certain = estimate.status == "ok"
    colour = face_style(face.slot)
    text = PLAIN if certain else FAINT
    row = [
        Segment("● " if certain else "○ ", colour),
        Segment(pad(name, columns.name - 2), BOLD if certain else FAINT),
        *_value(estimate.valence, estimate.valence_interval, columns.bar, colour=colour, text=text),
        *_value(estimate.arousal, estimate.arousal_interval, columns.bar, colour=colour, text=text),
    ]
    if columns.spark:
        row += [Segment(" ", PLAIN), Segment(sparkline(face, columns.spark), faded_style(face.slot, SPARK_FADE))]
    row += [Segment(" " + pad(emotion, EMOTION_WIDTH), text) for emotion in [*emotions, "–", "–"][: columns.emotions]]
    row.append(Segment(" " + pad(status_words(estimate), STATUS_WIDTH), text))
    return row


def _value(
    value: float | None, interval: tuple[float, float] | None, bar_width: int, *, colour: Style, text: Style
) -> Line:
    """A number, and its bar where there is room for one."""
    number = Segment(" " + pad(signed(value), NUMBER_WIDTH, right=True), text)
    if not bar_width:
        return [number]
    return [
        number,
        Segment(" ", PLAIN),
        Segment(bar(value, interval, bar_width), colour if value is not None else FAINT),
    ]
