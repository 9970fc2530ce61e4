"""The head that many labelled people teach, and as it is exported."""

from torch import Tensor, nn


class AdaptedHead(nn.Module):
    """A hidden layer, whose output is drawn together, and a classifier. (B, D) → features (B, H), logits (B, K)."""

    def __init__(self, dim: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.dim = dim
        self.features = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden features, and the class scores made of them."""
        hidden = self.features(x)
        return hidden, self.classifier(hidden.relu())


class ExportedHead(nn.Module):
    """Class probabilities of a clip. The context is the clip itself, averaged in to keep a bundle's three inputs.

    head:  clip features (N, D) → hidden features, logits (N, K)
    basis: (C, D) turns a bundle's clip vectors into the head's features; None where they are the same
    """

    def __init__(self, head: nn.Module, basis: Tensor | None) -> None:
        super().__init__()
        self.head = head
        self.basis = None if basis is None else nn.Parameter(basis, requires_grad=False)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """clip (N, C), context (N, 1, C), valid (N, 1) → (N, K)."""
        weight = valid.unsqueeze(2).to(clip.dtype)
        mean = (clip + (weight * context).sum(dim=1)) / (1 + weight.sum(dim=1))
        features = mean if self.basis is None else mean @ self.basis
        probabilities: Tensor = self.head(features)[1].softmax(dim=1)
        return probabilities
