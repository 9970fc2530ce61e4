"""Bundles with an int8 twin, and findings about them as they are kept in the engine cache."""

from pathlib import Path

import msgspec
import numpy as np

from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_record import SCHEMA
from streamaffect.runtime.variants.files import precisions_of
from streamaffect.runtime.variants.report import Tried, VariantReport, make_key
from tests.support.bundles import SIZE
from tests.support.conv_bundles import write_conv_bundle


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


def write_variant_bundle(folder: Path) -> Bundle:
    """The small convolutional bundle with an int8 twin and probe crops."""
    from train.bundle.variants import add_variants

    crops = np.random.default_rng(5).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
    add_variants(write_conv_bundle(folder), crops)
    return load_bundle(folder)
