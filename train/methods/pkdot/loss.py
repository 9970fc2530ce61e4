"""The structure loss of PKDOT: a student's embeddings should lie to one another as the teacher's do.

Aslam et al., "Distilling Privileged Multimodal Information for Expression Recognition using Optimal Transport",
FG 2024. The cosine similarities of a batch are the structure; of each row only the columns of k anchors are kept, and
teacher's and student's rows are compared as two clouds of points by entropic optimal transport. It takes any two
embeddings of the same samples, of equal or different widths.
"""

from typing import Literal

import torch
from torch import Tensor

from .sinkhorn import sinkhorn_divergence

AnchorMode = Literal["least", "most"]
AnchorOrder = Literal["given", "index", "teacher_rank"]
NORM_EPSILON = 1e-8


def pkdot_loss(
    teacher: Tensor,
    student: Tensor,
    *,
    topk: int = 30,
    anchor_index: Tensor | None = None,
    anchor_mode: AnchorMode | None = None,
    anchor_order: AnchorOrder | None = None,
    blur: float = 0.1,
    scaling: float = 0.5,
    debias: bool = True,
    reference: bool = False,
) -> Tensor:
    """Optimal transport between two similarity structures: teacher (B, D), student (B, E) → scalar.

    The teacher gets no gradient. Defaults are the `topk` most similar other samples of each row, in the order of the
    teacher's similarity.

    topk:         k, anchors of each row; at most B - 1 are taken
    anchor_index: (B, k) int64, use these columns instead of choosing them
    anchor_mode, anchor_order: see `anchor_columns`; "least" and "given" with `reference`
    blur, scaling, debias:     of `sinkhorn_divergence`
    reference:    as the authors' code: the least similar columns, the sample itself among the candidates, in the order
                  of a partial sort; k must be below B; no guard against embeddings of zeros.

    Raises ValueError unless both are matrices of the same B >= 2 rows, and, with `reference`, if B is not above k or an
    embedding is zero.
    """
    if teacher.ndim != 2 or student.ndim != 2 or len(teacher) != len(student):
        raise ValueError(
            f"teacher (B, D) and student (B, E) must embed one batch, "
            f"found {tuple(teacher.shape)} and {tuple(student.shape)}"
        )
    if len(teacher) < 2:
        raise ValueError(f"a structure needs at least 2 samples, found {len(teacher)}; use a larger batch")
    eps = 0.0 if reference else NORM_EPSILON
    teacher_cosine = cosine_matrix(teacher.detach(), eps=eps)
    student_cosine = cosine_matrix(student, eps=eps)
    if anchor_index is None:
        anchor_index = anchor_columns(
            teacher_cosine,
            topk,
            mode=anchor_mode or ("least" if reference else "most"),
            order=anchor_order or ("given" if reference else "teacher_rank"),
            reference=reference,
        )
    rows = [non_negative(cosine).gather(1, anchor_index) for cosine in (teacher_cosine, student_cosine)]
    return sinkhorn_divergence(rows[0], rows[1], blur=blur, scaling=scaling, debias=debias)


def cosine_matrix(embeddings: Tensor, *, eps: float = NORM_EPSILON) -> Tensor:
    """Cosine similarity of every pair, the diagonal included: (B, D) → (B, B) in [-1, 1].

    eps: least norm that is divided by; with 0 a row of zeros gives NaN.
    """
    norms: Tensor = embeddings.norm(dim=1, keepdim=True)
    unit = embeddings / (norms.clamp_min(eps) if eps else norms)
    cosine: Tensor = unit @ unit.T
    return cosine


def non_negative(cosine: Tensor) -> Tensor:
    """Less its smallest entry, which takes part in the gradient: (B, B) → (B, B) from 0."""
    return cosine - cosine.min()


def anchor_columns(
    teacher_cosine: Tensor,
    topk: int,
    *,
    mode: AnchorMode = "most",
    order: AnchorOrder = "teacher_rank",
    reference: bool = False,
) -> Tensor:
    """The anchors of each row, as columns of the teacher's similarities: (B, B) → (B, k) int64.

    mode:      take the least or the most similar columns
    order:     "teacher_rank" begins with the most extreme column, "index" is ascending, "given" is the order in which
               a partial sort leaves them. It matters: the same place in two rows stands for two different samples.
    reference: the sample itself is a candidate, and B must exceed k (ValueError). By default it is not, and k is at
               most B - 1.

    Raises ValueError if k is below 1.
    """
    count = len(teacher_cosine)
    if topk < 1 or (reference and topk >= count):
        raise ValueError(f"{topk} anchors of {count} samples: needs 1 <= topk < the batch's size; use a larger batch")
    k = min(topk, count - 1)
    extremeness = teacher_cosine.detach() if mode == "least" else -teacher_cosine.detach()
    if not reference:
        extremeness = extremeness.clone().fill_diagonal_(torch.inf)
    if order == "teacher_rank":
        return extremeness.argsort(dim=1, stable=True)[:, :k]
    columns = _partial_sort(extremeness, k)
    return columns.sort(dim=1).values if order == "index" else columns


def _partial_sort(values: Tensor, k: int) -> Tensor:
    """The columns of the k smallest of each row, in NumPy's order: torch's partial sort leaves another one."""
    partitioned = values.cpu().numpy().argpartition(k, axis=1)[:, :k]
    return torch.from_numpy(partitioned.copy()).to(values.device)
