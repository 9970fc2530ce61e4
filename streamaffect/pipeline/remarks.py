"""What a user should be told at the end of a run that has given nothing: what was seen, and why that is no estimate."""

from streamaffect.faces.survey import Survey
from streamaffect.faces.tracker import SLOWEST_FRAME_S
from streamaffect.pipeline.stats import StreamStats
from streamaffect.types import Flaw

FLAWS: dict[Flaw, str] = {
    "size": "is too small",
    "sharpness": "is too blurred",
    "inside": "is cut off at the edge",
    "score": "hardly looks like one",
    "turned": "may lie on its side or stand on its head",
}


def remark(stats: StreamStats, survey: Survey | None) -> str | None:
    """One line on a stream; None where there is nothing to remark on."""
    frames = f"{stats.finished} frame{'' if stats.finished == 1 else 's'}"
    if not stats.finished or stats.has_values:
        return None
    if stats.frames_with_face:
        return f"{stats.stream}: no estimate in {frames}: {_why_no_estimate(stats)}"
    return f"{stats.stream}: no face was found in {frames}: {_why_no_face(stats, survey)}"


def _why_no_estimate(stats: StreamStats) -> str:
    """The commonest flaws first."""
    seen = stats.frames_with_face
    if not stats.flaws:
        return f"the model had no answer in any of {seen} frames with a face"
    said = [f"{FLAWS[flaw]} ({count})" for flaw, count in stats.flaws.most_common()]
    return f"all {seen} frames with a face are too poor: it {', or '.join(said)}"


def _why_no_face(stats: StreamStats, survey: Survey | None) -> str:
    seen = stats.frames_with_detection
    of_others = None if survey is None else survey.why_none()
    if not seen:
        return of_others or "none was seen"
    if stats.finished == 1:
        return "one is in it, but one frame is no stream; streamaffect.analyze_image estimates pictures"
    if stats.frame_gap_s > SLOWEST_FRAME_S:
        return (
            f"one was seen in {seen} of them, but they are {stats.frame_gap_s:.1f} s apart, and a face is followed "
            f"over {SLOWEST_FRAME_S:g} s at most; streamaffect.analyze_image estimates pictures"
        )
    return (
        f"one was seen in {seen} of them, too briefly to be believed; "
        "tracker.confirm_hits and tracker.confirm_s say for how long it must be"
        + ("" if of_others is None else f". Of the others: {of_others}")
    )
