"""What personalising has changed on the person's own clips, in numbers, words and a picture.

Nobody has labelled these clips. The report therefore shows differences between two models and never which one is right.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor

from ....metrics.correlation import concordance
from .adaptation import Adaptation, Adapted
from .footage import Footage

FOLDER = "report"
FEW_SECONDS = 60.0
ONE_SIDED = 0.95  # share of one emotion among the pseudo-labels from which the person was hardly seen otherwise
FAR = 0.2  # mean change of valence or arousal that deserves a look
LIMITS = (
    "Agreement with the base says how much was changed, not whether it is better: these clips have no labels.",
    "It was not checked, and cannot be here, that all files show the same person.",
    "The 90 % intervals were calibrated on other people with the base. After adaptation their coverage is not "
    "guaranteed; the quantiles were widened so that on 95 % of these clips the new interval holds the base's.",
)

Outputs = Mapping[str, Tensor]


def change_report(
    footage: Footage,
    adaptation: Adaptation,
    adapted: Adapted,
    outputs: tuple[Outputs, Outputs],
    *,
    classes: Sequence[str],
    affect: tuple[str, Sequence[str]] | None,
    quantiles: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> dict[str, Any]:
    """The numbers of `report.json`.

    outputs: of all heads (M, L) on the person's clips, before and after; classes: of the emotions head
    affect:  the regression head that is described and the names of its outputs; quantiles: "before", "after" → head
    """
    before, after = outputs
    name = adaptation.emotions
    found = {
        "recording": {
            "crops": footage.crops,
            "seconds": round(footage.seconds, 1),
            "files": len(footage.files),
            "without_a_face": footage.notes,
        },
        "pseudo_labels": _pseudo_labels(adapted, classes),
        "drift": _drift(adaptation, adapted),
        "emotions": {
            "mean_before": _named(classes, before[name].mean(dim=0)),
            "mean_after": _named(classes, after[name].mean(dim=0)),
            "shown_before": _named(classes, _shown(before[name])),
            "shown_after": _named(classes, _shown(after[name])),
            "same_emotion": round(float((before[name].argmax(1) == after[name].argmax(1)).float().mean()), 4),
        },
        "quantiles": quantiles,
        "settings": msgspec.to_builtins(adaptation.settings),
    }
    if affect is not None:
        found["affect"] = _affect(before[affect[0]], after[affect[0]], affect[1])
    return found | {"warnings": _warnings(found, has_sources=adaptation.sources is not None)}


def change_files(
    title: str, report: Mapping[str, Any], outputs: tuple[Tensor, Tensor] | None, affect: Sequence[str]
) -> dict[str, bytes]:
    """`report.json`, `report.md` and `report.png` in their folder; outputs: (M, L) of the regression head, both."""
    page = f"# {title}\n\n{_page(report)}\n\n![before and after](report.png)\n"
    return {
        f"{FOLDER}/report.json": (json.dumps(report, indent=2) + "\n").encode(),
        f"{FOLDER}/report.md": page.encode(),
        f"{FOLDER}/report.png": _plot(report["emotions"], outputs, affect),
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    """The warnings and limits of a report, one line each, for the card and the terminal."""
    return [*report["warnings"], *LIMITS]


def _pseudo_labels(adapted: Adapted, classes: Sequence[str]) -> dict[str, Any]:
    kept = adapted.kept
    counts = torch.bincount(kept.labels, minlength=len(classes)).tolist()
    return {
        "found": adapted.found,
        "kept": len(kept.indices),
        "mean_confidence": round(float(kept.confidences.mean()), 4),
        "of": {name: count for name, count in zip(classes, counts, strict=True) if count},
    }


def _drift(adaptation: Adaptation, adapted: Adapted) -> dict[str, float]:
    """Distance by which clip vectors were moved, over the root of their own variance; and the discrepancy."""
    clips = adaptation.clips.plain
    moved = (adapted.person(clips) - clips).square().sum(dim=1).mean().sqrt()
    drift = {"relative": round(float(moved / clips.var(dim=0).sum().clamp_min(1e-12).sqrt()), 4)}
    if adapted.discrepancy is not None:
        drift["mmd_before"], drift["mmd_after"] = (round(value, 5) for value in adapted.discrepancy)
    return drift


def _affect(before: Tensor, after: Tensor, names: Sequence[str]) -> dict[str, Any]:
    agreement = concordance(after, before)
    return {
        name: {
            "mean_before": round(float(before[:, i].mean()), 4),
            "mean_after": round(float(after[:, i].mean()), 4),
            "deviation_before": round(float(before[:, i].std()), 4),
            "deviation_after": round(float(after[:, i].std()), 4),
            "mean_change": round(float((after[:, i] - before[:, i]).mean()), 4),
            "mean_absolute_change": round(float((after[:, i] - before[:, i]).abs().mean()), 4),
            "ccc_to_base": round(float(agreement[i]), 4),
        }
        for i, name in enumerate(names)
    }


def _shown(shares: Tensor) -> Tensor:
    """How often each class is the likeliest."""
    return torch.bincount(shares.argmax(dim=1), minlength=shares.shape[1]) / len(shares)


def _named(names: Sequence[str], values: Tensor) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(names, values.tolist(), strict=True)}


def _warnings(report: Mapping[str, Any], *, has_sources: bool) -> list[str]:
    seconds, labels = report["recording"]["seconds"], report["pseudo_labels"]
    lines = []
    if seconds < FEW_SECONDS:
        lines.append(f"Only {seconds:.0f} s of video show the face; a minute or more in varied moods tells more.")
    commonest = max(labels["of"], key=lambda name: labels["of"][name])
    if labels["of"][commonest] >= ONE_SIDED * labels["kept"]:
        lines.append(
            f"Nearly all clips were judged as {commonest}; what the person's other expressions need is unknown."
        )
    if not has_sources:
        lines.append("The bundle has no statistics of its sources: pseudo-labels alone were used, which repeat the "
                     "base's own mistakes.")  # fmt: skip
    for name, row in report.get("affect", {}).items():
        if abs(row["mean_change"]) > FAR:
            lines.append(f"{name.capitalize()} has moved by {row['mean_change']:+.2f} on average; look at the stream "
                         "before using it.")  # fmt: skip
    return lines


def _page(report: Mapping[str, Any]) -> str:
    seen, labels, drift = report["recording"], report["pseudo_labels"], report["drift"]
    lines = [
        f"From {seen['crops']} faces in {seen['files']} file(s) ({seen['seconds']:g} s of video), without labels.",
        "",
        *(f"- **Caution.** {line}" for line in report["warnings"]),
        *(f"- {line}" for line in LIMITS),
        *(f"- Not used: {line}" for line in seen["without_a_face"]),
        "",
        "| | before | after |",
        "|---|---|---|",
    ]
    for name, row in report.get("affect", {}).items():
        lines.append(f"| {name}: mean | {row['mean_before']:.3f} | {row['mean_after']:.3f} |")
        lines.append(f"| {name}: standard deviation | {row['deviation_before']:.3f} | {row['deviation_after']:.3f} |")
    emotions = report["emotions"]
    for name, value in emotions["mean_before"].items():
        lines.append(f"| {name}: mean probability | {value:.3f} | {emotions['mean_after'][name]:.3f} |")
    for head, values in report["quantiles"]["before"].items():
        for name, value in values.items():
            lines.append(f"| {head}, {name}: quantile of the interval | {value:.2f} | "
                         f"{report['quantiles']['after'][head][name]:.2f} |")  # fmt: skip
    if "mmd_before" in drift:
        lines.append(f"| discrepancy to the sources (MMD) | {drift['mmd_before']:.4f} | {drift['mmd_after']:.4f} |")
    of = ", ".join(f"{name} {count}" for name, count in labels["of"].items())
    lines += [
        "",
        f"Pseudo-labels: {labels['kept']} of {seen['crops']} clips, mean confidence {labels['mean_confidence']:.2f} "
        f"({of}); by round: {', '.join(map(str, labels['found']))}.",
        f"Clip vectors moved by {drift['relative']:.2f} of their own spread; {emotions['same_emotion']:.0%} of the "
        "clips keep their likeliest emotion.",
    ]
    for name, row in report.get("affect", {}).items():
        lines.append(f"{name.capitalize()}: concordance with the base {row['ccc_to_base']:.3f}, mean change "
                     f"{row['mean_change']:+.3f}, mean absolute change {row['mean_absolute_change']:.3f}.")  # fmt: skip
    return "\n".join(lines)


def _plot(
    emotions: Mapping[str, Mapping[str, float]], outputs: tuple[Tensor, Tensor] | None, affect: Sequence[str]
) -> bytes:
    """A PNG picture: a histogram of each regression output and the mean probabilities, before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * (len(affect) + 1), 3.6), layout="constrained")
    panels = figure.subplots(1, len(affect) + 1, squeeze=False)[0]
    for i, name in enumerate(affect if outputs is not None else ()):
        for values, label, colour in zip(outputs or (), ("before", "after"), ("0.6", "C0"), strict=True):
            panels[i].hist(values[:, i].numpy(), bins=40, range=(-1, 1), histtype="step", label=label, color=colour)
        panels[i].set(title=name, xlabel="estimate", ylabel="clips")
        panels[i].legend()
    names = list(emotions["mean_before"])
    for offset, key, colour in ((0.2, "mean_before", "0.6"), (-0.2, "mean_after", "C0")):
        places = [place + offset for place in range(len(names))]
        panels[-1].barh(places, list(emotions[key].values()), height=0.4, label=key.removeprefix("mean_"), color=colour)
    panels[-1].set_yticks(range(len(names)), names)
    panels[-1].set(title="emotions", xlabel="mean probability", xlim=(0, 1))
    panels[-1].legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
