"""Pictures of a run: learning curves, predictions against labels, and the circumplex, with one Markdown page."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from torch import Tensor

OUTPUTS = ("valence", "arousal")


def write_report(folder: Path, report: dict[str, object], pred: Tensor, truth: Tensor) -> Path:
    """Write `report.md` and its PNG pictures beside a run's `report.json`; pred and truth (N, 2) of held-out stills."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    _scatter(pred.numpy(), truth.numpy(), pictures / "scatter.png")
    _circumplex(pred.numpy(), truth.numpy(), pictures / "circumplex.png")
    names = ["scatter.png", "circumplex.png"]
    for stage in ("frame", "clips"):
        log = folder / stage / "metrics.jsonl"
        if log.exists():
            _curves(log, pictures / f"{stage}.png")
            names.append(f"{stage}.png")
    page = folder / "report.md"
    images = "\n".join(f"![{name.removesuffix('.png')}](pictures/{name})" for name in names)
    page.write_text(f"# {folder.name}\n\n```json\n{json.dumps(report, indent=2)}\n```\n\n{images}\n", encoding="utf-8")
    return page


def _scatter(pred: np.ndarray, truth: np.ndarray, file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    for column, axes in enumerate(figure.subplots(1, 2)):
        axes.plot([-1, 1], [-1, 1], color="0.7", linewidth=1)
        axes.scatter(truth[:, column], pred[:, column], s=4, alpha=0.3)
        axes.set(title=OUTPUTS[column], xlabel="label", ylabel="prediction", xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
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
