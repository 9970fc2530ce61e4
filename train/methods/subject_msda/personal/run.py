"""`python -m train personalise`: a bundle and one person's own unlabelled videos give a personal bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from streamaffect.errors import ConfigError
from streamaffect.messages import NOTICE
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, HeadSpec, Manifest
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray

from ....bundle.source_statistics import read_statistics
from ....config import read_recipe
from ....data.clips import index_sequence
from ....errors import DataError
from ....loop.progress import Progress
from .adaptation import Adaptation, Adapted
from .bundle import Personal, check_base, widened_quantiles, write_personal
from .differentiable_graph import DifferentiableGraph
from .footage import Footage, person_clips, read_footage
from .recipe import EXAMPLE, PersonaliseSettings
from .report import FOLDER, change_files, change_report, summary

LEAST_CROPS = 40  # about 3 s; less says nothing of a person
LEAST_LABELS = 20
CHECKED_CLIPS = 64


@dataclass(frozen=True, slots=True)
class Personalised:
    """The folder and manifest of the bundle that was written, and the numbers of its report."""

    folder: Path
    manifest: Manifest
    report: dict[str, Any]


def run_personalise(
    recording: Path, bundle: Path | None, out: Path | None, config: Path | None, progress: Progress
) -> None:
    """`personalise` with the settings of a TOML file, by default the defaults; says what was made and its limits."""
    settings = PersonaliseSettings() if config is None else read_recipe(config, PersonaliseSettings, example=EXAMPLE)
    made = personalise(recording, bundle, out, settings, progress)
    for line in summary(made.report):
        progress.note("note", line)
    progress.note(made.manifest.label, f"written to {made.folder}, see {made.folder / FOLDER / 'report.md'}")
    progress.note("notice", NOTICE)


def personalise(
    recording: Path, bundle: Path | None, target: Path | None, settings: PersonaliseSettings, progress: Progress
) -> Personalised:
    """Adapt a bundle to the person of a recording and write it to `target`, runs/<name>-personal by default.

    Raises:
        ConfigError: a path is wrong, or the bundle has no head whose classes can become pseudo-labels.
        DataError: the recording shows no face, several at once, too little, or nothing that is judged with confidence.
        TrainingError: the head has an operator that cannot be differentiated, or what was written differs from torch.
    """
    base = load_bundle(bundle)
    target = target or Path("runs") / f"{base.manifest.name}-personal"
    check_base(base, target)
    emotions = emotions_head(base)
    engine = OnnxRuntimeEngine(base)
    heads = DifferentiableGraph(base.graph_path(CONTEXT_HEAD))
    seen = read_footage(recording, base, engine, progress)
    if seen.crops < LEAST_CROPS:
        raise DataError(f"{recording}: {seen.crops} faces ({seen.seconds:.1f} s of video) are too few to know a person "
                        f"by; at least {LEAST_CROPS} are needed, and a minute in varied moods is better")  # fmt: skip
    sources = read_statistics(base, emotions.name)
    adaptation = Adaptation(person_clips(seen, base, engine), heads, emotions.name, sources, settings)
    adapted = adaptation.run()
    if len(adapted.kept.indices) < LEAST_LABELS:
        last = settings.threshold - (settings.rounds - 1) * settings.threshold_step
        raise DataError(f"{recording}: {len(adapted.kept.indices)} of {seen.crops} clips are judged with a confidence "
                        f"above {last:.2f}, {LEAST_LABELS} are needed; nothing was written. Record clearer and more "
                        "varied expressions, or lower `threshold` in --config")  # fmt: skip
    return _write(base, target, adaptation, adapted, seen)


def emotions_head(base: Bundle) -> HeadSpec:
    """The head whose classes become pseudo-labels; raises ConfigError where there is none."""
    for head in base.manifest.heads:
        if head.kind == "classification" and head.input == "context":
            return head
    raise ConfigError(f"--bundle {base.path}: has no classification head to take pseudo-labels from; personalise needs "
                      "a bundle such as engines/default")  # fmt: skip


def _write(base: Bundle, target: Path, adaptation: Adaptation, adapted: Adapted, seen: Footage) -> Personalised:
    before, after = adaptation.predict(None), adaptation.predict(adapted.person)
    quantiles = widened_quantiles(base.manifest, before, after)
    affect = next((head for head in base.manifest.published_heads if head.kind == "regression"), None)
    names = [] if affect is None else [output.name for output in affect.outputs]
    report = change_report(
        seen, adaptation, adapted, (before, after),
        classes=[output.name for output in emotions_head(base).outputs],
        affect=None if affect is None else (affect.name, names),
        quantiles={"before": _calibrated(base.manifest), "after": quantiles},
    )  # fmt: skip
    pair: tuple[Tensor, Tensor] | None = None if affect is None else (before[affect.name], after[affect.name])
    title = f"What has changed from {base.manifest.label} to {base.manifest.name}-personal"
    personal = Personal(
        quantiles=quantiles,
        provenance=_provenance(base, report),
        crops=seen.crops,
        seed=adaptation.settings.seed,
        features=_some_features(base, seen),
        notes="\n".join(["## Fitted to one person", "", *(f"- {line}" for line in summary(report)),
                         "- Figures of the base, below, do not hold for it. It is for this person alone.",
                         f"- What has changed on the person's clips: `{FOLDER}/report.md`."]),
    )  # fmt: skip
    files = change_files(title, report, pair, names)
    manifest = write_personal(base, adapted.person, personal, target, files)
    return Personalised(target, manifest, report)


def _calibrated(manifest: Manifest) -> dict[str, dict[str, float]]:
    return {head.name: dict(head.calibration.quantiles) for head in manifest.heads if head.calibration is not None}


def _provenance(base: Bundle, report: dict[str, Any]) -> dict[str, object]:
    return {
        "base": base.manifest.label,
        "base_sha256": base.sha256,
        "base_clip_encoder_sha256": base.manifest.graphs[CLIP_ENCODER].sha256,
        "crops": report["recording"]["crops"],
        "seconds": report["recording"]["seconds"],
        "pseudo_labels": report["pseudo_labels"]["kept"],
        "drift": report["drift"]["relative"],
        "settings": report["settings"],
    }


def _some_features(base: Bundle, seen: Footage) -> FloatArray:
    """(M, T, D) clips of the longest shot."""
    part = max(seen.shots, key=lambda one: len(one.time_s))
    index = index_sequence(part.time_s, base.manifest.clip, base.manifest.context)
    return np.ascontiguousarray(part.plain[index.samples[-CHECKED_CLIPS:]])
