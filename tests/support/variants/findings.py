"""Findings of a trial as they are kept in the engine cache, made in a moment."""

from pathlib import Path

import msgspec

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine_record import SCHEMA
from streamaffect.runtime.variants.files import precisions_of
from streamaffect.runtime.variants.report import Tried, VariantReport, make_key


def finding(bundle: Bundle, *, frame_ms: float, reference_ms: float = 2.0, failure: str | None = None) -> VariantReport:
    """What a trial of int8 would have found."""
    tried = [Tried(precision, failure, None if failure else frame_ms) for precision in precisions_of(bundle)]
    return VariantReport(SCHEMA, make_key(bundle, 1), "2026-11-20T00:00:00+00:00", reference_ms, 25, tried)


def pinned_to_fp32(bundle: Bundle) -> tuple[str, bytes]:
    """The name and content of a file for the engine cache with which `auto` runs fp32."""
    report = finding(bundle, frame_ms=2.0)
    return report.key.file.name, msgspec.json.encode(report)


def keep(folder: Path, report: VariantReport) -> None:
    """Put it into a cache, in place of what is there."""
    file = folder / report.key.file.name
    file.write_bytes(msgspec.json.encode(report))
    file.chmod(0o600)
