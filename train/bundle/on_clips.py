"""A model of single clips in the place of a context head: its context is the clip itself."""

from torch import Tensor, nn

from streamaffect.runtime.manifest import ContextSpec

from .graphs import TracedGraph, head_examples

ALONE = ContextSpec(past=0, future=0)


class OnClips(nn.Module):
    """A module on clips, with the three inputs that a bundle's head has."""

    def __init__(self, read: nn.Module) -> None:
        super().__init__()
        self.read = read

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """(N, C), (N, 1, C), (N, 1) bool → what `read` makes of (N, C).

        The clip is read from its context where that is valid, which it always is: a graph keeps only inputs that it
        uses.
        """
        out: Tensor = self.read(context[:, 0].where(valid, clip))
        return out


def head_on_clips(read: nn.Module, dim: int, name: str) -> TracedGraph:
    """The graph of a head `name` that reads clips (N, dim) alone."""
    return TracedGraph(OnClips(read), head_examples(dim, ALONE), [name])
