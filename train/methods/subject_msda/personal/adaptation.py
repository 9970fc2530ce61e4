"""The map that fits a bundle to one person, learned from unlabelled clips: stage 2 of subject-based adaptation.

Frame encoder, clip encoder and heads stay as they are. What is learned is a small map of the person's clip vectors, put
between clip encoder and head, so that the head meets what it knows: by pseudo-labels that are confident over two views,
and by the discrepancy to rows drawn from the statistics of the people that the bundle learned from. Since the head is
frozen, the cross-entropy of the sources, the third part of the published sum, is a constant and drops out.

One person shows some emotions and not others. Rows of the sources are therefore drawn in the shares of the person's
pseudo-labels: somebody who smiles throughout is compared with smiling people, and not taken for shifted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....bundle.source_statistics import SourceStatistics
from ..loss import PseudoLabels, mmd, select_pseudo_labels
from .footage import PersonClips
from .recipe import PersonaliseSettings

Heads = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
ROWS_AT_ONCE = 1024
SMALLEST_PROBABILITY = 1e-12


class PersonMap(nn.Module):
    """The map of a person's clip vectors (..., C), at first the identity: z + scale · shift + (z - centre) stretch.

    centre: (C,) mean of the person's clips; scale: of one step, the sources' deviation along an axis
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, centre: Tensor, scale: float, *, affine: bool) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("scale", torch.tensor(scale))
        self.shift = nn.Parameter(torch.zeros_like(centre))
        self.stretch = nn.Parameter(torch.zeros(len(centre), len(centre))) if affine else None

    def forward(self, clips: Tensor) -> Tensor:
        """Clip vectors as the head shall see them."""
        moved: Tensor = clips + self.scale * self.shift
        return moved if self.stretch is None else moved + (clips - self.centre) @ self.stretch

    def folded(self) -> tuple[Tensor | None, Tensor]:
        """The same map as z + z W + b: W (C, C), None for a shift, and b (C,)."""
        with torch.no_grad():
            bias: Tensor = self.scale * self.shift
            if self.stretch is None:
                return None, bias
            return self.stretch.clone(), bias - self.centre @ self.stretch


@dataclass(frozen=True, slots=True)
class Adapted:
    """The learned map, and what it was learned from.

    kept:    the pseudo-labels of the last round; found: how many each round had
    discrepancy: MMD of the kept clips to the sources before and after; None without sources
    """

    person: PersonMap
    kept: PseudoLabels
    found: list[int]
    discrepancy: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Clips of a person, and the bundle that they are to be fitted to.

    heads:    the head's graph, differentiable: clip, context and valid → outputs by name
    emotions: the output whose classes become pseudo-labels
    sources:  None where the bundle does not tell; then there is no discrepancy
    """

    clips: PersonClips
    heads: Heads
    emotions: str
    sources: SourceStatistics | None
    settings: PersonaliseSettings

    def run(self) -> Adapted:
        """Learn the map. In a round without pseudo-labels it stays as it is."""
        settings = self.settings
        generator = torch.Generator().manual_seed(settings.seed)
        width = self.clips.plain.shape[1]
        scale = (self._variance() / width) ** 0.5
        person = PersonMap(self.clips.plain.mean(dim=0), scale, affine=settings.adapter == "affine")
        found: list[PseudoLabels] = []
        for number in range(settings.rounds):
            found.append(self.pseudo_labels(person, max(0.0, settings.threshold - number * settings.threshold_step)))
            if len(found[-1].indices) > 1:
                self._descend(person, found[-1], generator)
        person.requires_grad_(requires_grad=False)
        return Adapted(person, found[-1], [len(one.indices) for one in found], self._distances(person, found[-1]))

    @torch.no_grad()
    def predict(self, person: PersonMap | None, *, mirrored: bool = False) -> dict[str, Tensor]:
        """Every output (M, L) for each clip in its context; without a map, those of the base."""
        vectors = self.clips.mirrored if mirrored else self.clips.plain
        vectors = vectors if person is None else person(vectors)
        parts = [
            self.heads(self._inputs(vectors, rows)) for rows in torch.split(torch.arange(len(vectors)), ROWS_AT_ONCE)
        ]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def pseudo_labels(self, person: PersonMap | None, threshold: float) -> PseudoLabels:
        """The clips on which both views agree, and with confidence above `threshold`."""
        plain, mirrored = (_logits(self.predict(person, mirrored=side)[self.emotions]) for side in (False, True))
        return select_pseudo_labels(plain, mirrored, threshold, require_agreement=True)

    def _descend(self, person: PersonMap, kept: PseudoLabels, generator: torch.Generator) -> None:
        """One round of steps."""
        optimiser = torch.optim.Adam(person.parameters(), lr=self.settings.lr)
        for _ in range(self.settings.steps):
            loss = self._loss(person, kept, generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def _loss(self, person: PersonMap, kept: PseudoLabels, generator: torch.Generator) -> Tensor:
        settings, clips = self.settings, self.clips
        place = torch.randint(len(kept.indices), (settings.batch,), generator=generator)
        rows = kept.indices[place]
        before = clips.plain[rows]
        after = person(before)
        loss: Tensor = settings.drift * (after - before).square().sum(dim=1).mean() / self._variance()
        if settings.pseudo:
            context = person(clips.plain[clips.context[rows]])
            out = self.heads({"clip": after, "context": context, "valid": clips.valid[rows]})[self.emotions]
            loss = loss + settings.pseudo * F.cross_entropy(_logits(out), kept.labels[place])
        if self.sources is not None and settings.weight:
            drawn, _ = self.sources.draw(self._shares(kept), settings.batch, generator)
            loss = loss + settings.weight * mmd(drawn, after)
        return loss

    def _inputs(self, vectors: Tensor, rows: Tensor) -> dict[str, Tensor]:
        return {
            "clip": vectors[rows],
            "context": vectors[self.clips.context[rows]],
            "valid": self.clips.valid[rows],
        }

    def _shares(self, kept: PseudoLabels) -> Tensor:
        assert self.sources is not None
        return torch.bincount(kept.labels, minlength=len(self.sources.labels)).float()

    def _variance(self) -> float:
        """Sum over the axes of the variance within a label: the sources', or the person's own where there are none."""
        if self.sources is None:
            return float(self.clips.plain.var(dim=0).sum().clamp_min(1e-6))
        share = self.sources.counts / self.sources.counts.sum()
        traces = self.sources.covariances.diagonal(dim1=1, dim2=2).sum(dim=1)
        return float((share * traces).sum().clamp_min(1e-6))

    @torch.no_grad()
    def _distances(self, person: PersonMap, kept: PseudoLabels) -> tuple[float, float] | None:
        """Before and after, to the same rows of the sources."""
        if self.sources is None or len(kept.indices) == 0:
            return None
        rows = self.clips.plain[kept.indices[:ROWS_AT_ONCE]]
        drawn, _ = self.sources.draw(self._shares(kept), len(rows), torch.Generator().manual_seed(self.settings.seed))
        return float(mmd(drawn, rows)), float(mmd(drawn, person(rows)))


def _logits(probabilities: Tensor) -> Tensor:
    """What a softmax turns into these probabilities."""
    return probabilities.clamp_min(SMALLEST_PROBABILITY).log()
