"""What `auto` is offered of a bundle's variants on this machine: one that is right and faster, else what is wrong.

Nothing here stops a run. A variant whose file is damaged, a probe that cannot be read, a cache in which nothing can be
kept: each is one line in the log, and fp32 runs.
"""

import logging
from dataclasses import dataclass

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.files import FP32, precisions_of, read_graphs
from streamaffect.runtime.variants.probe import read_probe
from streamaffect.runtime.variants.report import (
    VariantReport,
    keep_report,
    make_key,
    read_report,
    require_room,
)
from streamaffect.runtime.variants.trial import try_variants

log = logging.getLogger(__name__)

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant that may run.

    merits:  why, for the log and `meta/`
    speedup: how many times as fast as fp32 it is here
    """

    bundle: Bundle
    precision: Precision
    graphs: dict[str, bytes]
    threads: int
    merits: str
    speedup: float

    def open(self, reason: str) -> Engine:
        """Load and warm it up. Raises EngineError."""
        return OnnxRuntimeEngine(
            self.bundle, reason=reason, threads=self.threads, precision=self.precision, graphs=self.graphs
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """What there is: the best variant, or None; and one remark on each that failed or lost."""

    best: Offer | None
    remarks: list[str]


def offer_variants(bundle: Bundle, precision: str, threads: int) -> Offered:
    """The variant to run, after a trial if there was none on this machine yet.

    precision: AUTO, or the only one that may be offered; that one need not be faster
    """
    named = [one for one in precisions_of(bundle) if precision in (AUTO, one)]
    if not named:
        return Offered(None, [])
    graphs, remarks = _sound(bundle, named)
    if not graphs:
        return Offered(None, remarks)
    try:
        report = _report(bundle, threads)
    except EngineError as error:
        log.warning("the bundle's %s graphs are not used: %s", ", ".join(graphs), error)
        return Offered(None, [*remarks, f"{', '.join(graphs)} of the bundle could not be tried"])
    right = [one for one in report.tried if one.precision in graphs and one.failure is None]
    best = max(right, key=report.speedup, default=None) if precision != AUTO else report.chosen
    if best is not None and best.precision not in graphs:
        best = None
    remarks += [report.sentence(one) for one in report.tried if one is not best and one.precision in graphs]
    if best is None:
        return Offered(None, remarks)
    merits = report.sentence(best)
    return Offered(
        Offer(bundle, best.precision, graphs[best.precision], threads, merits, report.speedup(best)), remarks
    )


def kept_sentences(bundle: Bundle) -> list[str]:
    """What is known of each variant on this machine, with one thread, as `doctor` says it; nothing is tried.

    Raises EngineError where what is kept must not be believed.
    """
    report = read_report(make_key(bundle, 1))
    return [] if report is None else [report.sentence(one) for one in report.tried]


def _sound(bundle: Bundle, named: list[Precision]) -> tuple[dict[Precision, dict[str, bytes]], list[str]]:
    """The variants whose files are right, and a remark on each other."""
    graphs: dict[Precision, dict[str, bytes]] = {}
    remarks: list[str] = []
    for precision in named:
        try:
            graphs[precision] = read_graphs(bundle, precision)
        except EngineError as error:
            log.warning("the bundle's %s graphs are passed over: %s", precision, error)
            remarks.append(f"{precision} of the bundle is damaged")
    return graphs, remarks


def _report(bundle: Bundle, threads: int) -> VariantReport:
    """What was found on this machine, now or before. Raises EngineError where it cannot be kept or believed.

    A finding that is not kept could be another one at the next start, and the same file would give other numbers.
    """
    key = make_key(bundle, threads)
    if (known := read_report(key)) is not None:
        return known
    require_room()
    probe = read_probe(bundle)
    graphs = {precision: read_graphs(bundle, precision) for precision in precisions_of(bundle)}
    log.info("trying the bundle's %s graphs beside %s, once on this machine", ", ".join(graphs), FP32)
    return keep_report(try_variants(bundle, key, graphs, probe))
