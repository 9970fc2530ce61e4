"""The head that many labelled people teach, and as it reads a bundle's clips."""

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


class ClipClasses(nn.Module):
    """Class probabilities of clips: (N, C) → (N, K).

    head:  features (N, D) → hidden features, logits (N, K)
    basis: (C, D) turns clip vectors into the head's features; None where they are the same
    """

    def __init__(self, head: AdaptedHead, basis: Tensor | None) -> None:
        super().__init__()
        self.head = head
        self.basis = None if basis is None else nn.Parameter(basis, requires_grad=False)

    def forward(self, clip: Tensor) -> Tensor:
        """One probability a class, rows sum to 1."""
        probabilities: Tensor = self.head(clip if self.basis is None else clip @ self.basis)[1].softmax(dim=1)
        return probabilities
