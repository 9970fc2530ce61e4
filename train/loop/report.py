"""Pictures of a run: learning curves, predictions against labels, and the circumplex, with one Markdown page.

One page for a bundle's training, and one for a published protocol with any labels.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..data.labelled_clips import AFFECT_LABELS
from .metrics_log import METRICS


def write_report(folder: Path, report: dict[str, object], pred: Tensor, truth: Tensor) -> Path:
    """Write `report.md` and its PNG pictures beside a run's `report.json`; pred and truth (N, 2) of held-out stills."""
    logs = {stage: folder / stage / METRICS for stage in ("frame", "clips")}
    return write_page(folder, report, pred=pred, truth=truth, outputs=AFFECT_LABELS, logs=logs)


def write_page(
    folder: Path,
    report: Mapping[str, object],
    *,
    pred: Tensor,
    truth: Tensor,
    outputs: Sequence[str],
    logs: Mapping[str, Path],
) -> Path:
    """The same for labels of any names: pred and truth (N, L). logs: `metrics.jsonl` of each part, if it is there."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    _scatter(pred.numpy(), truth.numpy(), outputs, pictures / "scatter.png")
    names = ["scatter.png"]
    if set(AFFECT_LABELS) <= set(outputs):
        plane = [list(outputs).index(name) for name in AFFECT_LABELS]
        _circumplex(pred.numpy()[:, plane], truth.numpy()[:, plane], pictures / "circumplex.png")
        names.append("circumplex.png")
    for part, log in logs.items():
        if log.exists():
            _curves(log, pictures / f"{part}.png")
            names.append(f"{part}.png")
    page = folder / "report.md"
    images = "\n".join(f"![{name.removesuffix('.png')}](pictures/{name})" for name in names)
    page.write_text(f"# {folder.name}\n\n```json\n{json.dumps(report, indent=2)}\n```\n\n{images}\n", encoding="utf-8")
    return page


def _scatter(pred: np.ndarray, truth: np.ndarray, outputs: Sequence[str], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(outputs), 4), layout="constrained")
    for column, axes in enumerate(figure.subplots(1, len(outputs), squeeze=False)[0]):
        name = outputs[column]
        values = np.concatenate([truth[:, column], pred[:, column]])
        low, high = (-1.0, 1.0) if name in AFFECT_LABELS else (float(values.min()), float(values.max()) + 1e-6)
        axes.plot([low, high], [low, high], color="0.7", linewidth=1)
        axes.scatter(truth[:, column], pred[:, column], s=4, alpha=0.3)
        axes.set(title=name, xlabel="label", ylabel="prediction", xlim=(low, high), ylim=(low, high), aspect="equal")
    figure.savefig(file, dpi=110)


def _circumplex(pred: np.ndarray, truth: np.ndarray, file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, 2), (("labels", truth), ("predictions", pred)), strict=True):
        axes.hexbin(values[:, 0], values[:, 1], gridsize=30, extent=(-1, 1, -1, 1), bins="log", cmap="viridis")
        axes.set(title=title, xlabel="valence", ylabel="arousal", xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    figure.savefig(file, dpi=110)


def _curves(log: Path, file: Path) -> None:
    """Losses over steps on the left, scores over epochs on the right."""
    from matplotlib.figure import Figure

    curves: dict[bool, dict[str, list[tuple[int, float]]]] = {True: defaultdict(list), False: defaultdict(list)}
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        for name, value in entry.items():
            if name not in ("step", "epoch", "lr"):
                curves["lr" in entry][name].append((entry["step"], value))
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (title, group) in zip(
        figure.subplots(1, 2), (("losses", curves[True]), ("scores", curves[False])), strict=True
    ):
        for name, points in group.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
        axes.set(title=title, xlabel="step")
        if group:
            axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)
