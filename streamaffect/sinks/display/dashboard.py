"""The dashboard as a picture: where its parts lie on a terminal of any size. A pure function of the state.

From top to bottom: title, alarm, circumplex with the run's facts beside it, the rows of faces, what lenses say of
them, progress, events, notice. When room is short the title, the faces and the notice stay longest. The places depend
on the size and the number of faces and lenses alone, so that nothing jumps while values change.
"""

from rich.segment import Segment

from streamaffect.sinks.display.circumplex import circumplex
from streamaffect.sinks.display.course import course_blocks
from streamaffect.sinks.display.faces import face_block, most_important
from streamaffect.sinks.display.info import (
    alarm_line,
    alarm_text,
    fact_block,
    note_lines,
    notice_lines,
    progress_line,
    title_line,
    waiting_text,
)
from streamaffect.sinks.display.lenses import lens_block, lens_rows
from streamaffect.sinks.display.lines import BOLD, PLAIN, Line, Screenful, beside, line
from streamaffect.sinks.display.state import DisplayState

FACTS_WIDTH_MIN = 36
PLANE_ROWS_MIN = 7
PLANE_ROWS_GOOD = 9
FACE_ROWS_MIN = 4
FACE_ROWS_FEW = 2
GAP = 3
MARGIN = 1
MARGIN_FROM_WIDTH = 80
COURSES_MAX = 4


def render(state: DisplayState, width: int, height: int, now_ns: int) -> Screenful:
    """The picture for a terminal of `width` × `height` cells at `now_ns` of the display's monotonic clock."""
    inner = width - 2 * MARGIN if width >= MARGIN_FROM_WIDTH else width
    picture = _picture(state, inner, height, now_ns)
    if inner < width:
        picture = [[Segment(" " * MARGIN, PLAIN), *segments] for segments in picture]
    return Screenful(picture, width=width, height=height)


def _picture(state: DisplayState, width: int, height: int, now_ns: int) -> list[Line]:
    footer = _footer(state, width, height, now_ns)
    header = _header(state, width, now_ns)
    room = max(0, height - len(header) - len(footer))
    # Outputs of one face may press the plane to its least size, and the faces to two rows; those of a second may not.
    least_above = PLANE_ROWS_MIN + 1 + min(max(FACE_ROWS_FEW, len(state.faces)), FACE_ROWS_MIN) + 1
    below = lens_rows(state, room // 3, most=max(room // 3, room - least_above))
    face_rows = _face_rows(len(state.faces), room - below)
    if below > room // 3:
        face_rows = min(face_rows, max(FACE_ROWS_FEW, len(state.faces)))
    upper = _upper(state, width, room - below - face_rows - 1)
    faces = face_block(state, width, face_rows) if state.faces else [line(waiting_text(state), BOLD)]
    body = [*upper, *faces][: room - below]
    body += [line("") for _ in range(room - below - len(body))]
    return [*header, *body, *_exactly(lens_block(state, width, below), below), *footer]


def _exactly(lines: list[Line], rows: int) -> list[Line]:
    return [*lines, *(line("") for _ in range(rows - len(lines)))][:rows]


def _header(state: DisplayState, width: int, now_ns: int) -> list[Line]:
    alarm = alarm_text(state, now_ns)
    return [title_line(state, width), alarm_line(alarm, width) if alarm is not None else line("")]


def _footer(state: DisplayState, width: int, height: int, now_ns: int) -> list[Line]:
    progress = progress_line(state, width)
    notes = note_lines(state, width, 1 if height < 30 else 3, now_ns)
    notice = notice_lines(width)
    if height < len(notice) + 8:
        return notice[: max(0, height - 2)]
    space = [line("")] if height >= 30 else []
    return [*space, *([progress] if progress is not None else []), *notes, *notice]


def _face_rows(faces: int, room: int) -> int:
    """Rows for faces, without their heading: what they need, as long as the plane keeps a good size."""
    most = room - 1 - (PLANE_ROWS_GOOD + 1)
    if most < FACE_ROWS_MIN:  # too low for a plane beside the rows that are always kept
        return max(0, min(max(FACE_ROWS_MIN, faces), room - 1))
    return min(max(FACE_ROWS_MIN, faces), most)


def _upper(state: DisplayState, width: int, rows: int) -> list[Line]:
    """The plane with facts and courses at its right, or above the facts on a narrow terminal; exactly `rows` lines."""
    beside_width = width - GAP - FACTS_WIDTH_MIN
    if rows - 1 >= PLANE_ROWS_MIN and beside_width >= 2 * PLANE_ROWS_MIN + 1:
        plane_rows = _odd(min(rows - 1, (beside_width - 1) // 2))
        columns = 2 * plane_rows + 1
        right = _right(state, width - columns - GAP, rows - 1)
        lines = beside(_plane(state, columns, plane_rows), right, left_width=columns, gap=GAP)
    elif rows >= PLANE_ROWS_MIN + 4 and width >= 2 * PLANE_ROWS_MIN + 1:
        plane_rows = _odd(min(rows - 4, (width - 1) // 2))
        lines = _plane(state, 2 * plane_rows + 1, plane_rows)
        lines += fact_block(state, width, rows - 1 - len(lines))
    else:
        lines = fact_block(state, width, rows - 1)
    return [*lines, *(line("") for _ in range(rows - len(lines)))]


def _plane(state: DisplayState, columns: int, rows: int) -> list[Line]:
    return circumplex(list(state.faces.values()), columns, rows)


def _right(state: DisplayState, width: int, rows: int) -> list[Line]:
    """The facts, and below them the courses of the most important faces where there is room."""
    facts = fact_block(state, width, rows)
    spare = rows - len(facts) - 1
    courses = course_blocks(most_important(state)[:COURSES_MAX], width, spare)
    return [*facts, line(""), *courses] if courses else facts


def _odd(number: int) -> int:
    return number - 1 + number % 2
