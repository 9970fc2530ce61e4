"""The trained head as a lens: 64 numbers, named by their cell, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.lenses.manifest import FEATURES, MAP, VALUES, LensManifest, LensOutput
from streamaffect.runtime.bundle import load_bundle
from streamaffect.text.regions import CELLS, SIDE

from ....bundle.graphs import TracedGraph
from ....bundle.lens import DeclaredLens, write_lens
from ..recipe import MapLensRecipe
from .model import OcclusionHead


class _Bounded(nn.Module):
    """Values within [0, 1], as they are published: what speaks against the answer is 0."""

    def __init__(self, head: OcclusionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Tensor, features: Tensor) -> Tensor:
        drop: Tensor = self.head(maps, features)
        return drop.clamp(0, 1)


@dataclass(frozen=True, slots=True)
class Trained:
    """What an export needs of a run.

    data: names of what the head has learned from; channels of the encoder's map; features: how many it gives
    """

    recipe: MapLensRecipe
    head: OcclusionHead
    metrics: Mapping[str, object]
    data: Sequence[str]
    channels: int
    features: int


def export_map_lens(trained: Trained, target: Path) -> LensManifest:
    """Write the lens to `target`, in place of the one that is there. Raises TrainingError."""
    recipe = trained.recipe
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, trained.channels, SIDE, SIDE, generator=generator)
    features = torch.randn(2, trained.features, generator=generator)
    declared = DeclaredLens(
        name=recipe.name,
        kind="map",
        version=recipe.version,
        licence=recipe.licence,
        summary="Why: where hiding the face would take the answer away, 8 x 8 cells distilled from real occlusion",
        outputs=[LensOutput(name, (0.0, 1.0), "probability") for name in CELLS],
        recipe=f"{recipe.name}.toml",
        seed=recipe.seed,
        data=trained.data,
        metrics=_summarised(trained.metrics),
        limits=[
            "It says what the model looks at, not what a face expresses: where the model is wrong, it shows why it is",
            "It repeats real occlusion by squares of three by three cells, 8 x 8 over the crop: coarse by its making",
            "It speaks of the frame that is seen now, as if it stood alone; the published values look back further",
            "Where hiding any place takes little away, as on many neutral faces, the shape of the map means little",
        ],
        notes=_NOTES,
    )
    graph = TracedGraph(_Bounded(trained.head), {MAP: maps, FEATURES: features}, [VALUES])
    return write_lens(graph, declared, load_bundle(recipe.bundle or None), target)


def _summarised(metrics: Mapping[str, object]) -> dict[str, object]:
    """With the few figures that `streamaffect lenses` shows."""
    lines: dict[str, object] = {}
    for part, words in (("clips", "unseen people in clips"), ("stills", "unseen pictures")):
        found = metrics[part]
        assert isinstance(found, dict)
        drop = found["drop_emotional"]
        lines[words] = (
            f"r {found['r']:.2f} with real occlusion; of faces that are not called neutral, the probability falls by "
            f"{drop['distilled']:.2f} where the map's top quarter is hidden, by real occlusion's {drop['real']:.2f}"
        )
    return {"summary": lines, **metrics}


_NOTES = """## How to read it

`y0x0` is the cell at the top left of the square that the model sees, `y7x7` the one at the bottom right. A value is the
estimate of by how much the probability of the emotion that is named would fall if three by three cells about this one
were hidden; 0 also where it would rise.

In the figures `r` is the mean over faces of Pearson's correlation of the 64 values with the real ones. `drop` is how
far the probability really falls when the sixteen cells with the largest values are covered with the crop's mean colour:
`distilled` by this lens, `real` by real occlusion, and `usual` by the mean map of all faces, which knows nothing of the
face at hand. `emotional` are faces that the bundle calls anything but neutral."""
