"""The debiased Sinkhorn divergence: how far apart two clouds of equally weighted points are.

Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019: entropic
optimal transport with the cost |x - y|² / 2, less what each cloud costs against itself. Solved in the logarithmic
domain while the temperature falls from the square of the clouds' diameter to blur². The schedule and its averaged,
symmetric updates are those of the library that the authors of PKDOT call, so the values agree to rounding.
"""

import math

import torch
from torch import Tensor


def sinkhorn_divergence(
    x: Tensor, y: Tensor, *, blur: float = 0.05, scaling: float = 0.5, debias: bool = True
) -> Tensor:
    """Divergence of two clouds with uniform weights: x (N, D), y (M, D) → scalar, 0 for equal clouds if debiased.

    blur:    standard deviation of the plan's fuzziness, in the unit of the points; the temperature is blur²
    scaling: by how much the blur shrinks in each step towards its last value, in (0, 1); near 1 is exact and slow
    debias:  subtract the clouds' costs against themselves

    The gradient is that of the converged problem: it flows through the costs of the last update alone, and in each
    cost through its first cloud. Raises ValueError on clouds of unequal width, without points or with points that are
    not finite, and on a parameter outside its range.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(f"the clouds must be (N, D) and (M, D) with points, found {tuple(x.shape)}, {tuple(y.shape)}")
    if blur <= 0 or not 0 < scaling < 1:
        raise ValueError(f"needs blur > 0 and scaling in (0, 1), found {blur} and {scaling}")
    temperatures = _temperatures(_diameter(x, y), blur, scaling)
    f, g = _dual_potentials(x, y, temperatures)
    value = f.mean() + g.mean()
    if debias:
        # A cloud against itself has one potential, not two.
        value = value - _self_potential(x, temperatures).mean() - _self_potential(y, temperatures).mean()
    return value


def _dual_potentials(x: Tensor, y: Tensor, temperatures: list[float]) -> tuple[Tensor, Tensor]:
    """f (N,) on x and g (M,) on y."""
    xy, yx = _costs(x, y), _costs(y, x)
    with torch.no_grad():
        f, g = _soft_minimum(xy, None, temperatures[0]), _soft_minimum(yx, None, temperatures[0])
        for temperature in temperatures:
            f_new, g_new = _soft_minimum(xy, g, temperature), _soft_minimum(yx, f, temperature)
            f, g = (f + f_new) / 2, (g + g_new) / 2
    return _soft_minimum(xy, g, temperatures[-1]), _soft_minimum(yx, f, temperatures[-1])


def _self_potential(x: Tensor, temperatures: list[float]) -> Tensor:
    """The potential (N,) of a cloud against itself."""
    costs = _costs(x, x)
    with torch.no_grad():
        f = _soft_minimum(costs, None, temperatures[0])
        for temperature in temperatures:
            f = (f + _soft_minimum(costs, f, temperature)) / 2
    return _soft_minimum(costs, f, temperatures[-1])


def _soft_minimum(costs: Tensor, potential: Tensor | None, temperature: float) -> Tensor:
    """-t log mean_j exp((potential_j - costs_ij) / t): (N, M), (M,) → (N,)."""
    scores = -costs / temperature
    if potential is not None:
        scores = scores + potential / temperature
    return -temperature * (scores - math.log(costs.shape[1])).logsumexp(dim=1)


def _costs(x: Tensor, y: Tensor) -> Tensor:
    """|x - y|² / 2 of every pair, (N, M); no gradient for y."""
    other = y.detach()
    squared = x.square().sum(dim=1, keepdim=True) + other.square().sum(dim=1) - 2 * x @ other.T
    return squared / 2


def _diameter(x: Tensor, y: Tensor) -> float:
    """Length of the diagonal of the box around both clouds."""
    both = torch.cat([x.detach(), y.detach()])
    diameter = float((both.amax(dim=0) - both.amin(dim=0)).norm())
    if not math.isfinite(diameter):
        raise ValueError("the points of both clouds must be finite, found NaN or infinity")
    return diameter


def _temperatures(diameter: float, blur: float, scaling: float) -> list[float]:
    """From diameter² down to blur², each step by the square of `scaling`."""
    diameter = diameter or blur  # all points are equal
    first, last, step = 2 * math.log(diameter), 2 * math.log(blur), 2 * math.log(scaling)
    between = [math.exp(first + i * step) for i in range(max(0, math.ceil((last - first) / step)))]
    return [diameter**2, *between, blur**2]
