"""The joint multimodal transformer equals plain loops in every joint mode, at sizes that no fixture has."""

from typing import Literal

import numpy as np
import pytest
import torch

from tests.support.training.plain_loops import (
    Array,
    Weights,
    as_tensor,
    assert_equals_loops,
    drawn_weights,
    layer_norm,
    linear,
    linear_shapes,
    multi_head,
    multi_head_shapes,
    norm_shapes,
    published_state,
    ready,
    relu,
    rounded,
)
from train.methods.jmt.model import JointMultimodalTransformer, load_reference

Mode = Literal["self_attention", "fc", "concat", "none"]
Shapes = dict[str, tuple[int, ...]]
FUSION = "mm_transformer."


def encoder_shapes(name: str, dim: int, layers: int, feedforward: int) -> Shapes:
    shapes: Shapes = {}
    for layer in range(layers):
        place = f"{FUSION}{name}.layers.{layer}."
        shapes |= multi_head_shapes(f"{place}attention.", dim)
        shapes |= linear_shapes(f"{place}feed_forward.0.", dim, feedforward)
        shapes |= linear_shapes(f"{place}feed_forward.2.", feedforward, dim)
        shapes |= norm_shapes(f"{place}layer_norm1.", dim) | norm_shapes(f"{place}layer_norm2.", dim)
    return shapes


def fusion_shapes(mode: Mode, dim: int, layers: int, feedforward: int, hidden: int) -> Shapes:
    shapes: Shapes = {}
    streams = {"concat": (), "none": ("visual", "physiological")}.get(
        mode, ("visual", "physiological", "joint_representation")
    )
    for name in streams:
        shapes |= encoder_shapes(f"{name}_encoder", dim, layers, feedforward)
        short = {"visual": "v", "physiological": "p", "joint_representation": "pv"}[name]
        shapes |= multi_head_shapes(f"{FUSION}cross_attention_{short}.", dim)
    if mode == "concat":
        shapes |= linear_shapes(f"{FUSION}fc.", 2 * dim, dim)
    elif mode == "none":
        shapes |= linear_shapes(f"{FUSION}final_layer.", 2 * dim, dim)
        shapes |= linear_shapes(f"{FUSION}gated_attention.", 2 * dim, 1)
    else:
        shapes |= linear_shapes(f"{FUSION}out_layer_pv.", 2 * dim, dim)
    if mode == "fc":
        shapes |= linear_shapes(f"{FUSION}out_layer1.", 6 * dim, 2 * dim)
    if mode == "self_attention":
        shapes |= encoder_shapes("final_visual_encoder", dim, layers, feedforward)
        shapes |= multi_head_shapes(f"{FUSION}final_self_attention.", dim)
    width = 2 * dim if mode == "fc" else dim
    for name in ("vregressor", "aregressor"):
        shapes |= linear_shapes(f"{name}.0.", width, hidden) | linear_shapes(f"{name}.3.", hidden, 1)
    return shapes


def encode(x: Array, weights: Weights, name: str, heads: int) -> Array:
    """Post-norm layers, (S, D) → (S, D)."""
    layer, h = 0, x
    while f"{FUSION}{name}.layers.{layer}.layer_norm1.weight" in weights:
        place = f"{FUSION}{name}.layers.{layer}."
        h = layer_norm(h + multi_head(h, h, weights, f"{place}attention.", heads), weights, f"{place}layer_norm1.")
        hidden = relu(linear(h, weights, f"{place}feed_forward.0."))
        h = layer_norm(h + linear(hidden, weights, f"{place}feed_forward.2."), weights, f"{place}layer_norm2.")
        layer += 1
    return h


def look(query: Array, memory: Array, weights: Weights, stream: str, heads: int) -> Array:
    return multi_head(query, memory, weights, f"{FUSION}cross_attention_{stream}.", heads)


def fuse_joint(v: Array, a: Array, weights: Weights, heads: int) -> list[Array]:
    """The six views of every step, each (S, D)."""
    j = encode(linear(np.concatenate([v, a], axis=1), weights, f"{FUSION}out_layer_pv."), weights,
               "joint_representation_encoder", heads)  # fmt: skip
    v, a = encode(v, weights, "visual_encoder", heads), encode(a, weights, "physiological_encoder", heads)
    pairs = (("v", v, a), ("p", a, v), ("pv", j, v), ("v", v, j), ("pv", j, a), ("p", a, j))
    return [look(query, memory, weights, stream, heads) for stream, query, memory in pairs]


def plain_jmt(visual: Array, audio: Array, weights: Weights, mode: Mode, heads: int, *, across_batch: bool) -> Array:
    """(B, S, D) twice → (B, S, 2), batch first."""
    v, a = (x / np.linalg.norm(x, axis=2, keepdims=True) for x in (visual, audio))
    if mode == "none":
        encoded = []
        for x, name in ((v, "visual_encoder"), (a, "physiological_encoder")):
            order = (1, 0, 2) if across_batch else (0, 1, 2)
            rows = [encode(one, weights, name, heads) for one in x.transpose(order)]
            encoded.append(np.stack(rows).transpose(order))
        v, a = encoded
    samples = []
    for seen, heard in zip(v, a, strict=True):
        if mode == "concat":
            fused = linear(np.concatenate([seen, heard], axis=1), weights, f"{FUSION}fc.")
        elif mode == "none":
            both = [look(seen, heard, weights, "v", heads), look(heard, seen, weights, "p", heads)]
            fused = linear(np.concatenate(both, axis=1), weights, f"{FUSION}final_layer.")
        elif mode == "fc":
            six = fuse_joint(seen, heard, weights, heads)
            fused = linear(np.concatenate(six, axis=1), weights, f"{FUSION}out_layer1.")
        else:
            steps = np.stack(fuse_joint(seen, heard, weights, heads), axis=1)  # (S, 6, D)
            tokens = [encode(step, weights, "final_visual_encoder", heads) for step in steps]
            mixed = [multi_head(one, one, weights, f"{FUSION}final_self_attention.", heads) for one in tokens]
            fused = np.stack([one[-1] for one in mixed])
        columns = [
            linear(relu(linear(fused, weights, f"{name}.0.")), weights, f"{name}.3.")
            for name in ("vregressor", "aregressor")
        ]
        samples.append(np.concatenate(columns, axis=1))
    return np.stack(samples)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("mode", ["self_attention", "fc", "concat", "none"])
@pytest.mark.parametrize(
    ("batch", "steps", "dim", "heads", "layers", "feedforward", "hidden"),
    [(1, 1, 8, 1, 1, 8, 2), (3, 5, 12, 3, 2, 20, 7)],
)
def test_every_joint_mode(
    batch: int, steps: int, dim: int, heads: int, layers: int, feedforward: int, hidden: int, mode: Mode,
    reference: bool, dtype: torch.dtype,
) -> None:  # fmt: skip
    generator = np.random.default_rng(steps)
    weights = drawn_weights(fusion_shapes(mode, dim, layers, feedforward, hidden), generator)
    visual, audio = rounded(*(generator.normal(size=(batch, steps, dim)) for _ in range(2)))
    model = JointMultimodalTransformer(
        dim, heads=heads, layers=layers, feedforward=feedforward, hidden=hidden, joint=mode, reference=reference
    )
    ready(model, dtype)
    load_reference(model, published_state(weights))
    expected = plain_jmt(visual, audio, weights, mode, heads, across_batch=reference)
    if reference and mode == "fc":
        expected = expected.transpose(1, 0, 2)
    assert_equals_loops(model(as_tensor(visual, dtype), as_tensor(audio, dtype)), expected)
