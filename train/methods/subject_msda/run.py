"""The recipe of subject-based adaptation on features: many labelled people teach a head about one unlabelled person.

Stage 1 trains on pairs of source people. Stage 2 goes in rounds: pseudo-labels of the target by the model so far, then
training on sources and target. Both stages are run a second time without the discrepancy, as the baseline. The
labels of the target are used for scores alone. Where the features are a bundle's clip vectors, the adapted head becomes
a bundle with that one's encoders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import Bundle, load_bundle

from ...errors import TrainingError
from ...loop.fit import fit
from ...loop.progress import Progress
from ...metrics.classification import war
from .bundle import export_head
from .data import People, Person, load_people
from .loss import PseudoLabels, closest_subjects, select_pseudo_labels
from .model import AdaptedHead, ExportedHead
from .recipe import SubjectMsdaRecipe
from .task import SCORED, Pair, PairTask, Rows


def run(
    recipe: SubjectMsdaRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train both stages, with and without the discrepancy, or go on; returns the accuracies on the target.

    The bundle is written beside `folder`, unless the features are not of its base's width.

    Raises DataError if the data are missing or not as described, TrainingError if no pseudo-label is ever confident or
    the bundle cannot be written, BundleError if there is no such base.
    """
    if recipe.class_names and len(recipe.class_names) != recipe.classes:
        raise ConfigError(f"class_names has {len(recipe.class_names)} names, classes is {recipe.classes}")
    base = load_bundle(recipe.base or None)
    sources, target = load_people(recipe, root, base)
    adaptation = _Adaptation(
        recipe, People(*fabric.to_device(sources)), Person(*fabric.to_device(target)), fabric, progress
    )
    model, report = adaptation.run(folder / "adapted", recipe.weight)
    _, without = adaptation.run(folder / "without_discrepancy", 0.0)
    report |= {f"{name}_without_discrepancy": value for name, value in without.items()}
    if problem := _export(recipe, model, base, report, folder.with_name("bundle")):
        progress.note("bundle", problem)
    return report


@dataclass(frozen=True, slots=True)
class _Adaptation:
    """Both stages on the same data."""

    recipe: SubjectMsdaRecipe
    sources: People
    target: Person
    fabric: Fabric
    progress: Progress

    def run(self, folder: Path, weight: float) -> tuple[AdaptedHead, dict[str, float]]:
        """The adapted head and its figures."""
        torch.manual_seed(self.recipe.seed)
        model: nn.Module = AdaptedHead(self.target.features.shape[1], self.recipe.hidden, self.recipe.classes)
        model, scores = self._fit(model, self._two_people, folder / "sources", weight)
        report = {f"{SCORED}_sources_only": scores[SCORED]}
        kept: PseudoLabels | None = None
        chosen = self._closest_rows()
        for number in range(self.recipe.rounds):
            threshold = self.recipe.threshold - number * self.recipe.threshold_step
            found = self._pseudo_labels(model, threshold)
            kept = found if len(found.indices) else kept
            if kept is None:
                raise TrainingError(
                    f"no picture of the target is judged with confidence above {threshold:.2f}; "
                    "lower `threshold`, or train longer on the sources"
                )
            model, scores = self._fit(
                model, partial(self._with_target, chosen, kept), folder / f"round_{number + 1}", weight
            )
            report["pseudo_labels"] = float(len(kept.indices))
            report["pseudo_label_accuracy"] = float(war(kept.labels, self.target.labels[kept.indices]))
        assert isinstance(model, AdaptedHead)
        return model, report | scores

    def _fit(
        self, model: nn.Module, draw: Callable[[torch.Generator], Pair], folder: Path, weight: float
    ) -> tuple[nn.Module, dict[str, float]]:
        task = PairTask(model.requires_grad_(), draw, self.recipe, self.target, weight)
        trained = fit(task, self.recipe.optimiser, folder, fabric=self.fabric, progress=self.progress)
        return trained, task.validate(trained)

    @torch.no_grad()
    def _pseudo_labels(self, model: nn.Module, threshold: float) -> PseudoLabels:
        plain, flipped = model(self.target.features)[1], model(self.target.flipped)[1]
        return select_pseudo_labels(plain, flipped, threshold)

    def _two_people(self, generator: torch.Generator) -> Pair:
        people = torch.unique(self.sources.subjects)
        first, second = people[torch.randperm(len(people), generator=generator)[:2]]
        return self._of_person(int(first), generator), self._of_person(int(second), generator)

    def _closest_rows(self) -> Tensor:
        """The rows of the source people that stage 2 uses."""
        subjects = self.sources.subjects
        people = {str(int(subject)): self.sources.features[subjects == subject] for subject in torch.unique(subjects)}
        names = closest_subjects(people, self.target.features, self.recipe.closest or len(people))
        chosen = torch.tensor([int(name) for name in names], device=subjects.device)
        return torch.isin(subjects, chosen).nonzero().squeeze(1)

    def _with_target(self, chosen: Tensor, kept: PseudoLabels, generator: torch.Generator) -> Pair:
        source = self._drawn(chosen, generator)
        place = self._drawn(torch.arange(len(kept.indices)), generator)
        return (
            (self.sources.features[source], self.sources.labels[source]),
            (self.target.features[kept.indices[place]], kept.labels[place]),
        )

    def _of_person(self, subject: int, generator: torch.Generator) -> Rows:
        rows = self._drawn((self.sources.subjects == subject).nonzero().squeeze(1), generator)
        return self.sources.features[rows], self.sources.labels[rows]

    def _drawn(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Half a batch of these rows, with repetition."""
        return rows[torch.randint(len(rows), (max(2, self.recipe.optimiser.batch // 2),), generator=generator)]


def _export(
    recipe: SubjectMsdaRecipe, model: AdaptedHead, base: Bundle, report: dict[str, float], target: Path
) -> str | None:
    """Write the bundle, or return why not. Drawn features are as many coordinates of the base's clip vectors."""
    width = model.dim
    basis = None
    if recipe.data == "drawn" and width <= base.clip_dim:
        square = torch.randn(base.clip_dim, width, generator=torch.Generator().manual_seed(recipe.seed))
        basis = torch.linalg.qr(square).Q
    elif width != base.clip_dim:
        return (
            f"not written: the features have {width} numbers, the clip vectors of {base.manifest.label} {base.clip_dim}"
        )
    classes = recipe.class_names or tuple(f"class {number}" for number in range(recipe.classes))
    head = ExportedHead(model.cpu(), basis)
    export_head(head, base, target, name=recipe.name, classes=classes, seed=recipe.seed, metrics=report)
    return None
