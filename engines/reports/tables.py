"""What a person reads: engines, their verification and their times as tables."""

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from streamaffect.runtime.engine_cache import BrokenEngine, CachedEngine
from streamaffect.runtime.engine_record import ColdStart, Timing, VerifyReport

from ..bench import REFERENCE


def engines_table(engines: Sequence[CachedEngine], broken: Sequence[BrokenEngine] = ()) -> Table:
    """One row per engine: whether `auto` may take it, and what it would gain."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("engine", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for name in ("verified", "ms a face", "× fp32", "folder"):
        table.add_column(name)
    for engine in engines:
        bench = engine.bench
        verified = "not yet" if engine.verify is None else "yes" if engine.is_verified else "[red]refused[/]"
        frame, speedup = (f"{bench.frame_ms:.2f}", f"{bench.speedup:.2f}") if bench else ("–", "–")
        stale = engine.staleness()
        title = engine.record.key.title.replace(" for ", "\nfor ") + (f"\n[yellow]{stale}[/]" if stale else "")
        table.add_row(title, engine.record.bundle, verified, frame, speedup, engine.folder.name[:12])
    for entry in broken:
        table.add_row("[red]unusable[/]", "", "", "", "", f"{entry.folder.name[:12]}\n{entry.reason}")
    return table


def layers_line(engine: CachedEngine) -> str:
    """How many convolutions and matrix products of which graph are computed in which type."""
    graphs = (
        f"{role} {' '.join(f'{count} {kind}' for kind, count in kinds.items()) or 'none'}"
        for role, kinds in engine.record.layers.items()
    )
    return f"{engine.record.key.title}, products: {', '.join(graphs)}"


def verification_table(report: VerifyReport) -> Table:
    """|Δ| against ONNX Runtime fp32: the graphs alone, then what is published."""
    table = Table("output", "max |Δ|", "mean |Δ|", "p99 |Δ|", "CCC change", box=SIMPLE_HEAD, pad_edge=False)
    for graph, deviation in report.graphs.items():
        table.add_row(
            f"[dim]{graph}[/]", f"{deviation.max:.5f}", f"{deviation.mean:.5f}", f"{deviation.p99:.5f}", "[dim]–[/]"
        )
    for check in report.outputs:
        deviation = check.deviation
        change = "hardly varies" if check.ccc_change is None else f"{check.ccc_change:.5f}"
        name = f"{check.head}.{check.output}"
        table.add_row(name, f"{deviation.max:.5f}", f"{deviation.mean:.5f}", f"{deviation.p99:.5f}", change)
    return table


def timings_table(timings: Mapping[str, Sequence[Timing]], titles: Mapping[str, str]) -> Table:
    """Engines under each other for each graph, batch size and thread count: milliseconds a call, rows a second."""
    names = [REFERENCE, *(name for name in timings if name != REFERENCE)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("graph × batch, engine", no_wrap=True)
    for column in ("p50 ms", "p95 ms", "p99 ms", "CPU ms", "rows/s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in zip(*(timings[name] for name in names), strict=True):
        threads = "1 thread" if row[0].threads == 1 else f"{row[0].threads} threads"
        table.add_row(f"[bold]{row[0].role} × {row[0].batch}, {threads}[/]")
        for name, timing in zip(names, row, strict=True):
            times = (f"{value:.3f}" for value in (timing.p50_ms, timing.p95_ms, timing.p99_ms, timing.cpu_ms))
            table.add_row(f"  {titles.get(name, name)}", *times, f"{timing.per_second:.0f}")
        table.add_section()
    return table


def cold_table(engines: Iterable[CachedEngine]) -> Table:
    """What loading costs in a fresh process."""
    table = Table("engine", "load ms", "first frame ms", "memory MiB", box=SIMPLE_HEAD, pad_edge=False)
    starts: dict[str, ColdStart] = {}
    for engine in engines:
        if engine.bench and engine.bench.reference_cold:
            starts[REFERENCE] = engine.bench.reference_cold
        if engine.bench and engine.bench.cold:
            starts[engine.record.key.title] = engine.bench.cold
    for name, cold in starts.items():
        table.add_row(name, f"{cold.load_ms:.0f}", f"{cold.first_frame_ms:.1f}", f"{cold.memory_mib:.0f}")
    return table
