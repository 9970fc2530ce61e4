from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import kind_of, make_source, recording_of, split_name

SETTINGS = SourceSettings()


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("lab=rtsp://cam/1", "lab", "rtsp://cam/1"),
        ("webcam", "webcam", "webcam"),
        ("webcam:1", "webcam1", "webcam:1"),
        ("demo", "demo", "demo"),
        ("synthetic:faces=3", "synthetic", "synthetic:faces=3"),
        ("a=synthetic:faces=3", "a", "synthetic:faces=3"),
        ("clips/my talk (1).mp4", "my-talk-1", "clips/my talk (1).mp4"),
        ("rtsp://ann:secret@cam.local:554/1", "cam.local-554", "rtsp://ann:secret@cam.local:554/1"),
        ("http://cam/v?token=secret", "cam", "http://cam/v?token=secret"),
        ("replay:talk.jsonl", "talk", "replay:talk.jsonl"),
        ("日本.mp4", "stream", "日本.mp4"),
    ],
)
def test_a_source_is_split_into_a_topic_safe_name_and_what_it_reads(text: str, name: str, spec: str) -> None:
    assert split_name(text) == (name, spec)


def test_a_file_whose_name_looks_like_a_named_source_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take=2.mp4").touch()
    assert split_name("take=2.mp4") == ("take-2", "take=2.mp4")


def test_a_file_whose_stem_is_too_long_for_a_name_gets_a_shorter_one() -> None:
    name, spec = split_name("a" * 200 + ".mp4")
    assert name == "a" * 64
    assert spec == "a" * 200 + ".mp4"


@pytest.mark.parametrize(
    "text", ["x" * 300, "rtsp://[", "rtsp://cam/" + "x" * 300, "a\x00b.mp4", "日本" * 200 + ".mp4"]
)
def test_any_text_is_split_without_a_system_error(text: str) -> None:
    assert split_name(text)[1] == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x" * 65 + "=demo", "65 characters long; at most 64"),
        ("my cam=webcam:1", "expected letters, digits, .* for instance my-cam=SOURCE"),
        ("büro=rtsp://cam/1", "for instance b-ro=SOURCE"),
        ("a/b=replay:x.jsonl", "for instance a-b=SOURCE"),
        ("=demo", "expected letters"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_at_the_start(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        split_name(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_to_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="source is empty; expected webcam"):
        split_name(text)


@pytest.mark.parametrize("url", ["ftp://a:secret@b/c", "file:///etc/passwd", "concat://a", "srt://a:1"])
def test_a_scheme_that_is_not_on_the_list_is_refused_with_the_list(url: str) -> None:
    with pytest.raises(ConfigError, match="expected rtsp://, rtsps://, http://, https:// or a file's path") as caught:
        make_source(url, settings=SETTINGS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://",
        "rtsp://:554/1",
        "rtsp://[",
        "rtsp://[::1",
        "rtsp://cam:99999/1",
        "rtsp://cam:0/1",
        "rtsp://ann:hidden/secret@cam/1",
        "rtsp://ann:hi@dden/secret@cam/1",
        "rtsp://ann:hid den@cam/1",
    ],
)
def test_an_unusable_address_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected rtsp://user:password@host|write it as %20") as caught:
        make_source(url, settings=SETTINGS)
    assert not any(part in str(caught.value) for part in ("secret", "hid", "hi@", "dden"))


@pytest.mark.parametrize("spec", ["webcam:x", "webcam:-1", "webcam:1.5", "webcam:9999"])
def test_a_webcam_has_a_number(spec: str) -> None:
    with pytest.raises(ConfigError, match="expected a number as in webcam:1"):
        make_source(spec, settings=SETTINGS)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("webcam", "webcam"),
        ("webcam:1", "webcam"),
        ("demo", "demo"),
        ("demo:1", "file"),
        ("synthetic:faces=3", "synthetic"),
        ("replay:talk.jsonl", "replay"),
        ("RTSPS://cam/1", "rtsp"),
        ("https://cam/1", "http"),
        ("webcam.mp4", "file"),
    ],
)
def test_a_source_has_a_kind_and_what_is_no_other_is_a_file(spec: str, kind: str) -> None:
    assert kind_of(spec) == kind


def test_a_replay_names_its_recording() -> None:
    assert recording_of("replay:a:b.jsonl") == "a:b.jsonl"


@pytest.mark.parametrize("spec", ["replay", "replay:", "replay: "])
def test_a_replay_of_nothing_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="names no recording; expected replay:RECORDING"):
        recording_of(spec)


def test_a_recording_of_estimates_is_no_source_of_frames() -> None:
    with pytest.raises(ConfigError, match="estimates, not frames"):
        make_source("replay:talk.jsonl", settings=SETTINGS)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("faces=x", "faces=x: expected a number from 0 to 64"),
        ("faces=1.5", "expected a whole number"),
        ("fps=0", "fps=0: expected a number from 1 to 1000"),
        ("size=640", "as in size=1280x720"),
        ("size=1x1", "size=1: expected a number from 64 to 4096"),
        ("seconds=nan", "seconds=nan: expected a number"),
        ("people=3", "unknown setting 'people'; expected some of faces, fps, size, seconds"),
    ],
)
def test_a_wrong_setting_of_the_synthetic_source_is_named(argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_source(f"synthetic:{argument}", settings=SETTINGS)


def test_a_backoff_that_shrinks_is_refused() -> None:
    with pytest.raises(ValueError, match="backoff_min_s is 5, above backoff_max_s 1"):
        SourceSettings(backoff_min_s=5.0, backoff_max_s=1.0)
