"""A head of one's own in the place of EmoCLIP's sentences, as it stands in a bundle."""

from torch import Tensor, nn

from streamaffect.runtime.manifest import HeadSpec, OutputSpec

from ....bundle.declared import classes_head
from ....bundle.on_clips import head_on_clips
from ..bundle import Head
from ..model import DownstreamModel
from .recipe import EmoClipDownstreamRecipe

EXPRESSIONS, AFFECT = "expressions", "affect"


def downstream_head(recipe: EmoClipDownstreamRecipe, model: DownstreamModel, classes: list[str], dim: int) -> Head:
    """The recipe's outputs, each in [-1, 1], or without any the probabilities of the classes. dim: of the embedding."""
    if recipe.outputs:
        columns = [OutputSpec(name, (-1.0, 1.0)) for name in recipe.outputs]
        return Head(head_on_clips(model.head, dim, AFFECT), HeadSpec(AFFECT, "regression", columns))
    return Head(head_on_clips(_Shares(model.head), dim, EXPRESSIONS), classes_head(EXPRESSIONS, classes))


class _Shares(nn.Module):
    """The head's classes as probabilities."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, video: Tensor) -> Tensor:
        out: Tensor = self.head(video)
        return out.softmax(dim=1)
