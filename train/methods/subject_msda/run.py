"""The recipe of subject-based adaptation on features: many labelled people teach a head about one unlabelled person.

Stage 1 trains on pairs of source people. Stage 2 goes in rounds: pseudo-labels of the target by the model so far, then
training on sources and target. Both stages are run a second time without the discrepancy, as the baseline. The
labels of the target are used for scores alone. Where the features are a bundle's clip vectors, the adapted head becomes
a bundle with that one's encoders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import load_bundle

from ...errors import TrainingError
from ...loop.context import Context, Report
from ...metrics.classification import war
from .bundle import clip_classes, export_head
from .data import People, Person, load_people
from .loss import PseudoLabels, closest_subjects, select_pseudo_labels
from .model import AdaptedHead
from .recipe import SubjectMsdaRecipe
from .task import SCORED, Pair, PairTask, Rows


def run(recipe: SubjectMsdaRecipe, context: Context) -> Report:
    """Train both stages, with and without the discrepancy, or go on; returns the accuracies on the target.

    A bundle is written unless the features are not of its base's width.

    Raises DataError if the data are missing or not as described, TrainingError if no pseudo-label is ever confident or
    the bundle cannot be written, BundleError if there is no such base.
    """
    if recipe.class_names and len(recipe.class_names) != recipe.classes:
        raise ConfigError(f"class_names has {len(recipe.class_names)} names, classes is {recipe.classes}")
    base = load_bundle(recipe.base or None)
    sources, target = load_people(recipe, context, base)
    fabric = context.fabric
    adaptation = _Adaptation(recipe, People(*fabric.to_device(sources)), Person(*fabric.to_device(target)), context)
    model, report = adaptation.run("training/adapted", recipe.weight)
    _, without = adaptation.run("training/without_discrepancy", 0.0)
    report |= {f"{name}_without_discrepancy": value for name, value in without.items()}
    if (head := clip_classes(model, recipe, base)) is not None:
        context.export(lambda folder: export_head(head, recipe, base, report, folder))
    else:
        context.progress.note("bundle", f"not written: the features have {model.dim} numbers, the clip vectors of "
                                        f"{base.manifest.label} {base.clip_dim}")  # fmt: skip
    return {**report}


@dataclass(frozen=True, slots=True)
class _Adaptation:
    """Both stages on the same data."""

    recipe: SubjectMsdaRecipe
    sources: People
    target: Person
    context: Context

    def run(self, folder: str, weight: float) -> tuple[AdaptedHead, dict[str, float]]:
        """The adapted head and its figures. folder: of the checkpoints, within the run's; weight: of the discrepancy"""
        torch.manual_seed(self.recipe.seed)
        model: nn.Module = AdaptedHead(self.target.features.shape[1], self.recipe.hidden, self.recipe.classes)
        model, scores = self._fit(model, self._two_people, f"{folder}/sources", weight)
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
            draw = partial(self._with_target, chosen, kept)
            model, scores = self._fit(model, draw, f"{folder}/round_{number + 1}", weight)
            report["pseudo_labels"] = float(len(kept.indices))
            report["pseudo_label_accuracy"] = float(war(kept.labels, self.target.labels[kept.indices]))
        assert isinstance(model, AdaptedHead)
        return model, report | scores

    def _fit(
        self, model: nn.Module, draw: Callable[[torch.Generator], Pair], stage: str, weight: float
    ) -> tuple[nn.Module, dict[str, float]]:
        task = PairTask(model.requires_grad_(), draw, self.recipe, self.target, weight)
        trained = self.context.fit(task, self.recipe.optimiser, stage)
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
