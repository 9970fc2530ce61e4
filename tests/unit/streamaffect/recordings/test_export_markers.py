"""Where markers stand in the rows of a table."""

from collections.abc import Sequence

from streamaffect.messages import Event
from streamaffect.recordings.export.markers import marked
from streamaffect.recordings.export.table import Row
from tests.support.recordings import estimate_at


def marker(time_s: float, label: str, stream: str = "clip") -> Event:
    return Event(stream=stream, t_ns=round(time_s * 1e9), event="marker", label=label, origin="ctl")


def rows(*times_s: float, track: int = 3, refines: int | None = None) -> list[Row]:
    return [
        Row(number, time_s, estimate_at(time_s, track=track, refines=refines)) for number, time_s in enumerate(times_s)
    ]


def labels(found: Sequence[Row], *markers: Event, last_s: float = 9.0) -> list[str | None]:
    return [row.marker for row in marked(found, markers, {"clip": round(last_s * 1e9)})]


def test_a_marker_stands_at_the_first_picture_that_is_not_before_it() -> None:
    assert labels(rows(0.0, 1.0, 2.0), marker(0.5, "a"), marker(2.0, "b")) == [None, "a", "b"]


def test_several_at_one_picture_are_joined_in_the_order_of_time() -> None:
    assert labels(rows(0.0, 1.0), marker(0.9, "later"), marker(0.1, "sooner")) == [None, "sooner; later"]


def test_one_after_the_last_picture_stands_there_and_one_before_the_first_at_that() -> None:
    assert labels(rows(1.0, 2.0), marker(0.0, "early"), marker(5.0, "late"), last_s=2.0) == ["early", "late"]


def test_all_faces_of_the_picture_have_it_and_what_refines_it_later() -> None:
    found = [*rows(1.0), *rows(1.0, track=4), *rows(2.0), *rows(1.0, refines=0)]
    assert labels(found, marker(0.5, "a")) == ["a", "a", None, "a"]


def test_other_streams_do_not_have_it() -> None:
    assert labels(rows(1.0, 2.0), marker(0.5, "a", stream="other")) == [None, None]
