"""What gives the messages of a run, by what the sources are called."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from streamaffect.config import load_config
from streamaffect.errors import ConfigError
from streamaffect.pipeline.stats import NO_SINKS
from streamaffect.verbs.origin import CurrentSettings, Origin, open_origin
from tests.support.recordings import estimate_at, file_header, live_header, record


def opened(*sources: str) -> Origin:
    with ExitStack() as stack:
        return open_origin(CurrentSettings(load_config(flags={"run": {"sources": list(sources)}})), stack, NO_SINKS)


def test_a_replay_gives_the_messages_of_its_recording_under_their_own_names(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.jsonl", [estimate_at(0.0)], file_header("clip"))
    replay = opened(f"other=replay:{recording}")
    assert ([meta.stream for meta in replay.metas], list(replay.messages())) == (["clip"], [estimate_at(0.0)])


def test_a_replay_keeps_its_pace_also_where_files_were_recorded(tmp_path: Path) -> None:
    assert opened(f"replay:{record(tmp_path / 'a.jsonl', [])}").is_live
    assert opened(f"replay:{record(tmp_path / 'b.jsonl', [], live_header())}").is_live


@pytest.mark.parametrize("first", [True, False])
def test_a_recording_is_replayed_alone(first: bool) -> None:
    sources = ["replay:talk.jsonl", "webcam"]
    with pytest.raises(ConfigError, match=r"^replay:talk\.jsonl: a recording is replayed alone"):
        opened(*(sources if first else reversed(sources)))
