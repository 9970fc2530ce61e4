"""What a trial found is kept once for a machine and its versions, and believed only where nobody else could write."""

from pathlib import Path

import msgspec
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine_cache import list_engines
from streamaffect.runtime.engine_record import SCHEMA
from streamaffect.runtime.variants.report import (
    Tried,
    VariantReport,
    keep_report,
    list_reports,
    make_key,
    read_report,
    require_room,
)
from tests.support.variants.findings import finding
from tests.support.variants.twins import write_twin_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_twin_bundle(tmp_path_factory.mktemp("twin") / "bundle")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "not made yet" / "engines"
    monkeypatch.setenv("STREAMAFFECT_CACHE", str(folder))
    return folder


@pytest.mark.parametrize(
    ("frame_ms", "is_taken"), [(1.0, True), (1.8, True), (1.83, False), (2.0, False), (3.0, False)]
)
def test_a_variant_must_be_a_tenth_faster_and_a_tie_goes_to_fp32(
    bundle: Bundle, frame_ms: float, is_taken: bool
) -> None:
    report = finding(bundle, frame_ms=frame_ms, reference_ms=2.0)
    assert (report.chosen is not None) == is_taken
    assert ("gains too little" in report.sentence(report.tried[0])) != is_taken


def test_a_variant_that_failed_is_never_chosen_however_fast(bundle: Bundle) -> None:
    report = finding(bundle, frame_ms=0.1, failure="affect.valence is off")
    assert report.chosen is None
    assert report.sentence(report.tried[0]) == "int8 of the bundle is refused here: affect.valence is off"


def test_the_fastest_of_several_is_chosen(bundle: Bundle) -> None:
    tried = [Tried("bf16", None, 1.5), Tried("int8", None, 0.9), Tried("fp16", "NaN", 0.1)]
    report = VariantReport(SCHEMA, make_key(bundle, 1), "2026-11-20", 2.0, 25, tried)
    assert report.chosen is not None and report.chosen.precision == "int8"


def test_what_was_kept_first_stays(bundle: Bundle, cache: Path) -> None:
    first, second = finding(bundle, frame_ms=1.0), finding(bundle, frame_ms=5.0)
    assert read_report(first.key) is None
    assert keep_report(first) == first
    assert keep_report(second) == first
    assert read_report(second.key) == first
    assert [file.name for file in cache.iterdir()] == [first.key.file.name]
    assert (cache.stat().st_mode & 0o777, first.key.file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_another_number_of_threads_is_another_finding(bundle: Bundle, cache: Path) -> None:
    keep_report(finding(bundle, frame_ms=1.0))
    assert cache.is_dir()
    assert read_report(make_key(bundle, 2)) is None


def test_reports_are_no_engines(bundle: Bundle, cache: Path) -> None:
    keep_report(finding(bundle, frame_ms=1.0))
    assert list_engines(cache) == ([], [])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1}', b"\xff"])
def test_a_damaged_report_is_one_line_that_says_what_to_do(bundle: Bundle, content: bytes) -> None:
    report = keep_report(finding(bundle, frame_ms=1.0))
    report.key.file.write_bytes(content)
    with pytest.raises(EngineError, match=r"variants-\w+\.json: not a report on variants .*delete it"):
        read_report(report.key)
    assert list_reports() == [(report.key.file, None)]


@pytest.mark.usefixtures("cache")
def test_a_report_of_another_key_is_not_believed(bundle: Bundle) -> None:
    report = keep_report(finding(bundle, frame_ms=1.0))
    other = msgspec.structs.replace(report, key=msgspec.structs.replace(report.key, device="8086"))
    report.key.file.write_bytes(msgspec.json.encode(other))
    with pytest.raises(EngineError, match="belongs to something else"):
        read_report(report.key)


def test_a_report_that_others_can_write_is_not_believed(bundle: Bundle, cache: Path) -> None:
    report = keep_report(finding(bundle, frame_ms=1.0))
    report.key.file.chmod(0o666)
    with pytest.raises(EngineError, match="others can write to it"):
        read_report(report.key)
    report.key.file.chmod(0o600)
    cache.chmod(0o777)
    with pytest.raises(EngineError, match="others can write to it"):
        read_report(report.key)


def test_a_cache_without_room_is_one_line(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAFFECT_CACHE", "/proc/engines")
    for attempt in (require_room, lambda: keep_report(finding(bundle, frame_ms=1.0))):
        with pytest.raises(
            EngineError, match=r"/proc/engines: the engine cache cannot be written .*STREAMAFFECT_CACHE"
        ):
            attempt()
