"""The relational loss: clips of a batch should be as similar to one another as their labels are.

Foteinopoulou & Patras, "Learning from Label Relationships in Human Affect", ACM Multimedia 2022: the root of the mean
squared difference between the cosine similarities of the clip features (before context attention) and of the labels.
"""

import torch.nn.functional as F
from torch import Tensor

ROOT_EPSILON = 1e-12
UNIT_NORM_EPSILON = 1e-12


def relational_loss(
    features: Tensor, labels: Tensor, *, reference: bool = False, centre_labels: bool = False
) -> Tensor:
    """Distance between two similarity structures: features (B, D), labels (B, L) → scalar in [0, 2].

    `sqrt(mean((S_F - S_Y)²))` over the B(B - 1) pairs of different rows.

    reference:     the bare root of the authors' code, whose gradient is infinite where the structures are equal. By
                   default 1e-12 is added inside the root: the gradient is finite and the least value is 1e-6.
    centre_labels: subtract the batch's mean label first. Without it only the labels' angle about the neutral point
                   counts, and an exactly neutral label is similar to nothing.

    Raises ValueError if B < 2 (one row has no pairs) or if the two differ in B.
    """
    if features.ndim != 2 or labels.ndim != 2 or len(features) != len(labels):
        raise ValueError(
            f"the relational loss takes features (B, D) and labels (B, L) of one batch, "
            f"found {tuple(features.shape)} and {tuple(labels.shape)}"
        )
    if len(features) < 2:
        raise ValueError(
            f"the relational loss compares pairs of clips and needs at least 2 in a batch, "
            f"found {len(features)}; use a larger batch"
        )
    if centre_labels:
        labels = labels - labels.mean(dim=0)
    squared = (pairwise_similarity(features) - pairwise_similarity(labels)).square().mean()
    return squared.sqrt() if reference else (squared + ROOT_EPSILON).sqrt()


def pairwise_similarity(rows: Tensor) -> Tensor:
    """Cosine similarity of each row to every other row: (B, D) → (B, B - 1).

    The columns keep their order, the diagonal is left out. A row of zeros has similarity 0 to everything.
    """
    unit = F.normalize(rows, dim=1, eps=UNIT_NORM_EPSILON)
    count = len(rows)
    flat = (unit @ unit.T).flatten()
    # One entry less than a row and the diagonal comes to stand in the last column.
    return flat[1:].view(count - 1, count + 1)[:, :-1].reshape(count, count - 1)
