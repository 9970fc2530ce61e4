"""What the desk of a run does with commands and markers."""

import pytest

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import ControlError
from streamaffect.feed.commands import Add, Mark, Prompts, Remove, Status, Stop, Streams, VoiceOf
from streamaffect.messages import Event
from streamaffect.prompts.by_phrases import PhraseReader
from streamaffect.prompts.lens import PromptLens
from tests.support.control.desks import ToldDesk


def now_ns() -> int:
    return Clock.now().utc(monotonic_ns())


def test_a_marker_stands_in_every_stream_that_runs_with_the_same_time() -> None:
    desk = ToldDesk("a", "b", "c")
    desk.saw([Event(stream="c", t_ns=0, event="source_ended")])
    before_ns = now_ns()
    reply = desk.desk.do(Mark(label="go"), origin="ctl")
    assert [(event.stream, event.label, event.origin) for event in desk.told] == [
        ("a", "go", "ctl"),
        ("b", "go", "ctl"),
    ]
    assert {event.t_ns for event in desk.told} == {reply.t_ns}
    assert reply.t_ns is not None
    assert before_ns <= reply.t_ns <= now_ns()


def test_a_marker_of_one_stream_stands_in_no_other() -> None:
    desk = ToldDesk("a", "b")
    desk.desk.do(Mark(label="go", stream="b"), origin="ctl")
    assert [event.stream for event in desk.told] == ["b"]
    with pytest.raises(ControlError, match="'door': none of that name runs; there is a, b"):
        desk.desk.do(Mark(label="go", stream="door"), origin="ctl")


def test_a_file_that_is_read_offline_is_marked_in_its_own_time() -> None:
    desk = ToldDesk("file")
    desk.desk.do(Mark(label="go"), origin="ctl")
    assert [event.t_ns for event in desk.told] == [5_000_000_000]


def test_a_moment_of_the_past_can_be_marked_and_one_that_is_none_is_refused() -> None:
    desk = ToldDesk()
    then_ns = now_ns() - 2_000_000_000
    assert desk.desk.mark("go", origin="ctl", t_ns=then_ns) == desk.told[0].t_ns == then_ns
    for wrong_ns in (0, now_ns() + 5_000_000_000):
        with pytest.raises(ControlError, match=r"a moment of the last 600 s can be marked, in UTC nanoseconds"):
            desk.desk.mark("go", origin="ctl", t_ns=wrong_ns)
    assert len(desk.told) == 1


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("a\nb", r"U\+000A"),
        ("a\x1b[2J", r"U\+001B"),
        ("x" * 257, "257 characters"),
    ],
)
def test_a_label_that_cannot_be_shown_is_refused(label: str, complaint: str) -> None:
    desk = ToldDesk()
    with pytest.raises(ControlError, match=complaint):
        desk.desk.do(Mark(label=label), origin="ctl")
    assert desk.told == []


def test_a_device_loses_no_marker_whatever_it_sends_and_whatever_time_it_says() -> None:
    desk = ToldDesk()
    for text in ("\x00\x07", "", "ä" * 300, "line\nbreak"):
        desk.desk.mark_whatever(text, origin="tcp:1", monotonic_ns=monotonic_ns())
    desk.desk.mark_whatever("late", origin="tcp:1", monotonic_ns=monotonic_ns() + 10**15)
    assert desk.labels == ["\\x00\\x07", "(empty)", "ä" * 256, "line\\nbreak", "late"]
    assert abs(desk.told[-1].t_ns - now_ns()) < 60_000_000_000


def test_streams_are_reported_as_their_messages_say() -> None:
    desk = ToldDesk("a", "b")
    desk.saw([Event(stream="b", t_ns=0, event="source_ended"), Event(stream="a", t_ns=0, event="stream_removed")])
    assert [(one.stream, one.state) for one in desk.desk.do(Streams(), origin="ctl").streams] == [("b", "starting")]
    run = desk.desk.do(Status(), origin="ctl").run
    assert run is not None
    assert (run.model, run.markers, run.recording) == ("test@1", 0, "")


def test_commands_about_streams_go_to_the_run_and_stop_is_told_before_it_is_done() -> None:
    desk = ToldDesk("a")
    assert desk.desk.do(Add(source="door=x"), origin="ctl").text == "door: added"
    desk.desk.do(Remove(name="a"), origin="ctl")
    desk.desk.do(Stop(), origin="ctl")
    assert (desk.run.added, desk.run.removed, desk.stopped.is_set()) == (["door=x"], ["a"], True)
    assert [event.event for event in desk.told] == ["stop_asked"]


def test_a_run_without_streams_is_stopped_too() -> None:
    desk = ToldDesk()
    desk.saw([Event(stream="cam", t_ns=0, event="source_ended")])
    assert desk.desk.do(Stop(), origin="ctl").ok
    assert (desk.stopped.is_set(), desk.told) == (True, [])


def test_what_comes_while_the_run_ends_is_refused() -> None:
    desk = ToldDesk()
    desk.is_ending = True
    with pytest.raises(ControlError, match="about to end"):
        desk.desk.do(Mark(label="go"), origin="ctl")
    desk.desk.mark_whatever("go", origin="tcp:1", monotonic_ns=monotonic_ns())


def test_prompts_are_changed_and_told_in_every_stream_and_a_run_without_any_refuses() -> None:
    lens = PromptLens(PhraseReader(["sadness", "happiness"], None), PhraseReader(["sadness"], None).read([]))
    desk = ToldDesk("a", "b", prompts=lens)
    before = lens.meta
    assert lens.meta is before
    reply = desk.desk.do(Prompts(prompts={"glad": "beaming with joy"}), origin="ctl")
    assert reply.text.startswith("glad: happiness")
    assert reply.text == desk.desk.do(Prompts(), origin="ctl").text
    assert [(one.stream, one.event, one.origin, one.detail) for one in desk.told] == [
        ("a", "prompts_changed", "ctl", "glad"),
        ("b", "prompts_changed", "ctl", "glad"),
    ]
    assert lens.meta is not before
    assert lens.meta.outputs[0]["text"] == "beaming with joy"
    with pytest.raises(ControlError, match="this run looks for no prompts; start it with --prompts"):
        ToldDesk().desk.do(Prompts(), origin="ctl")


def test_whose_a_voice_is_goes_to_the_run_and_is_told() -> None:
    desk = ToldDesk("a", "b")
    assert desk.desk.do(VoiceOf(stream="b", track=3), origin="ctl").text == "b: the voice belongs to face 3"
    desk.desk.do(VoiceOf(stream="b", track="nobody"), origin="ctl")
    assert desk.run.given == {"b": "nobody"}
    assert [(event.stream, event.event, event.track, event.detail) for event in desk.told] == [
        ("b", "voice_given", 3, "to face 3"),
        ("b", "voice_given", None, "to nobody"),
    ]
    for wrong, complaint in (
        (VoiceOf(stream="c", track=1), "'c': none of that name runs; there is a, b"),
        (VoiceOf(stream="a", track=7), "face 7 is not in view; in view: 1"),
    ):
        with pytest.raises(ControlError, match=complaint):
            desk.desk.do(wrong, origin="ctl")
    assert len(desk.told) == 2
