"""What each verb of the engine tool does, from its options to what it prints."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import current_device
from streamaffect.runtime.engine_cache import CachedEngine, list_engines, load_entry
from streamaffect.runtime.variants.report import list_reports

from . import build as building
from .bench import REFERENCE
from .build import Plan
from .crops import ClipSet, collect_clips
from .graphs.inspection import graphs_beside, inspect_bundle
from .progress import Steps
from .reports.plot import write_plot
from .reports.tables import cold_table, engines_table, layers_line, timings_table, verification_table
from .store import EngineStore

AHEAD = (
    "Built ahead of time, not run: copy the folders into the engine cache of a machine with such a card (as its user's "
    "own, mode 0700), then run `engines verify` and `engines bench` there."
)
QUICK_BATCHES, QUICK_THREADS, QUICK_SECONDS = (1, 8), (1,), 1.5


def build(options: argparse.Namespace) -> int:
    """Build, verify and measure what was asked for; 1 where verification refused an engine."""
    bundle = load_bundle(options.bundle)
    plans = _plans(options)
    store = EngineStore(options.out) if options.out else EngineStore.default()
    with Steps() as steps:
        for role in graphs_beside(bundle):
            steps.note(f"{role}: beside the stream; it is left as it is, no engine is made of it")
        steps.step("faces of the calibration clips")
        clips = collect_clips(bundle, options.calibration)
        with store.locked(on_wait=lambda: steps.note("another build is at work; waiting for it to end")):
            engines = _build_all(store, bundle, plans, clips, rebuild=options.rebuild, steps=steps)
            _measure_new(store, bundle, engines, steps)
            engines = [load_entry(engine.folder) for engine in engines]
    _show(options, store, engines)
    return 0 if engines and all(engine.is_verified or engine.record.key.targets for engine in engines) else 1


def verify(options: argparse.Namespace) -> int:
    """Compare every engine of the bundle again; 1 where one is refused."""
    bundle, store, engines = _engines_of(options)
    with Steps() as steps:
        steps.step("faces of the clips")
        clips = collect_clips(bundle, options.calibration)
        with store.locked(on_wait=lambda: steps.note("a build is at work; waiting for it to end")):
            verified = []
            for engine in engines:
                with steps.of(engine.record.key.title):
                    verified.append(building.verify(store, bundle, engine, clips, progress=steps))
    if options.json:
        _print_json([engine.verify for engine in verified])
    else:
        console = Console()
        for engine in verified:
            _show_verification(console, engine)
    return 0 if all(engine.is_verified for engine in verified) else 1


def bench(options: argparse.Namespace) -> int:
    """Measure all engines of the bundle in turns, with ONNX Runtime fp32 among them."""
    bundle, store, engines = _engines_of(options)
    with Steps() as steps, store.locked(on_wait=lambda: steps.note("a build is at work; waiting for it to end")):
        steps.step("measuring")
        measured = building.bench(
            store,
            bundle,
            engines,
            batches=options.batches,
            threads=options.threads,
            seconds=options.seconds,
            cold=True,
            advance=steps.step,
        )
    reports = {engine.folder.name: engine.bench for engine in measured if engine.bench is not None}
    titles = {engine.folder.name: engine.record.key.title for engine in measured}
    timings = {REFERENCE: next(iter(reports.values())).reference_timings}
    timings |= {name: report.timings for name, report in reports.items()}
    if options.plot:
        write_plot(
            options.plot, bundle.manifest.label, {titles.get(name, name): rows for name, rows in timings.items()}
        )
    if options.json:
        _print_json(list(reports.values()))
        return 0
    console = Console()
    console.print(f"{bundle.manifest.label} on {next(iter(reports.values())).machine}", highlight=False)
    console.print(timings_table(timings, titles))
    console.print(cold_table(measured))
    console.print(engines_table(measured))
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Show the model's graphs, and the engines that were made of it."""
    bundle = load_bundle(options.bundle)
    engines, broken = list_engines()
    engines = [engine for engine in engines if engine.record.key.bundle_sha256 == bundle.sha256]
    facts = inspect_bundle(bundle)
    if options.json:
        _print_json({"graphs": facts.graphs, "heads": facts.heads, "engines": [engine.record for engine in engines]})
        return 0
    console = Console()
    console.print(facts.table())
    for line in facts.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(engines_table(engines, broken) if engines or broken else "No engine of this bundle is in the cache.")
    for engine in engines:
        if engine.record.layers:
            console.print(layers_line(engine), highlight=False, markup=False, soft_wrap=True)
    for engine in engines:
        console.print(f"[dim]{engine.folder}  {_size_mib(engine.folder):.1f} MiB[/]", highlight=False, soft_wrap=True)
    return 0


def clean(options: argparse.Namespace) -> int:
    """Delete unusable and outdated engines; with --all, or a bundle, all of that too."""
    chosen = load_bundle(options.bundle).sha256 if options.bundle else None
    store = EngineStore.default()
    if not store.root.is_dir():
        sys.stdout.write(f"{store.root}: there is no engine\n")
        return 0
    with store.locked(on_wait=lambda: None):
        engines, broken = list_engines(store.root)
        doomed = [entry.folder for entry in broken if entry.folder != store.root]
        doomed += [
            engine.folder
            for engine in engines
            if options.all or engine.record.key.bundle_sha256 == chosen or _is_useless(engine)
        ]
        for folder in doomed:
            store.remove(folder)
        trials = [
            file
            for file, report in list_reports()
            if options.all or report is None or report.key.bundle_sha256 == chosen or not report.key.is_current
        ]
        for file in trials:
            file.unlink(missing_ok=True)
    forgotten = f"; {len(trials)} trial(s) of variants forgotten" if trials else ""
    kept = len(engines) + len(broken) - len(doomed)
    sys.stdout.write(f"{store.root}: {len(doomed)} removed, {kept} kept{forgotten}\n")
    return 0


def _plans(options: argparse.Namespace) -> list[Plan]:
    """For this machine, or ahead of time for others. Raises EngineError."""
    wanted = {"precision": options.precision, "max_batch": options.max_batch}
    if options.target is not None:
        return building.plan_ahead(options.backend, **wanted, targets=options.target)
    if options.out:
        raise EngineError("--out is for engines that are built with --target; others belong into the engine cache")
    return building.make_plans(options.backend, **wanted)


def _build_all(
    store: EngineStore, bundle: Bundle, plans: Sequence[Plan], clips: ClipSet, *, rebuild: bool, steps: Steps
) -> list[CachedEngine]:
    """Engines, built and verified; where there are several, what fails is told and passed over."""
    engines: list[CachedEngine] = []
    for plan in plans:
        try:
            with steps.of(plan.title):
                engine = building.build(store, bundle, plan, clips, rebuild=rebuild, progress=steps)
                if engine.verify is None and not plan.targets:
                    engine = building.verify(store, bundle, engine, clips, progress=steps)
                engines.append(engine)
        except EngineError as error:
            if len(plans) == 1:
                raise
            steps.note(f"{plan.title}: {error}")
    return engines


def _measure_new(store: EngineStore, bundle: Bundle, engines: Sequence[CachedEngine], steps: Steps) -> None:
    """Measure verified engines, all together if one of them is new, since only times of one session compare."""
    verified = [engine for engine in engines if engine.is_verified]
    if any(engine.bench is None for engine in verified):
        building.bench(
            store,
            bundle,
            verified,
            batches=QUICK_BATCHES,
            threads=QUICK_THREADS,
            seconds=QUICK_SECONDS,
            cold=False,
            advance=lambda what: steps.step(f"measured {what}"),
        )


def _engines_of(options: argparse.Namespace) -> tuple[Bundle, EngineStore, list[CachedEngine]]:
    """The engines of a bundle that can run here; raises EngineError where there is none."""
    bundle = load_bundle(options.bundle)
    store = EngineStore.default()
    engines = [
        engine
        for engine in list_engines(store.root)[0]
        if engine.record.key.bundle_sha256 == bundle.sha256 and not _is_outdated(engine)
    ]
    if not engines:
        raise EngineError(f"no engine of {bundle.manifest.label} in {store.root}; `engines build` makes them")
    return bundle, store, engines


def _is_outdated(engine: CachedEngine) -> bool:
    """Whether it was built for another version or another device."""
    if engine.staleness():
        return True
    try:
        return current_device(engine.record.key) != engine.record.key.device
    except EngineError:
        return True


def _is_useless(engine: CachedEngine) -> bool:
    """Whether `clean` may take it: what was built ahead of time is for other machines than this."""
    return bool(engine.staleness()) if engine.record.key.targets else _is_outdated(engine)


def _show(options: argparse.Namespace, store: EngineStore, engines: Sequence[CachedEngine]) -> None:
    if options.json:
        _print_json([{"record": engine.record, "verify": engine.verify, "bench": engine.bench} for engine in engines])
        return
    console = Console()
    for engine in engines:
        _show_failures(console, engine)
    console.print(engines_table(engines))
    console.print(f"[dim]{store.root}[/]", highlight=False, soft_wrap=True)
    if any(engine.record.key.targets for engine in engines):
        console.print(AHEAD, highlight=False, soft_wrap=True)


def _show_verification(console: Console, engine: CachedEngine) -> None:
    report = engine.verify
    if report is None:
        return
    state = "[green]verified[/]" if report.passed else "[red]refused[/]"
    console.print(f"{engine.record.key.title}: {state} on {report.steps} steps of {report.clips}", highlight=False)
    console.print(verification_table(report))
    _show_failures(console, engine)


def _show_failures(console: Console, engine: CachedEngine) -> None:
    for failure in engine.verify.failures if engine.verify else []:
        console.print(f"[red]refused[/] {engine.record.key.title}: {escape(failure)}", highlight=False)


def _size_mib(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 2**20


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
