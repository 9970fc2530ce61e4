"""Networks equal plain loops over the papers' formulas, with weights under the published names, at sizes that no
fixture has and in both precisions."""

import numpy as np
import pytest
import torch

from tests.support.training.plain_loops import (
    Array,
    Weights,
    as_tensor,
    assert_equals_loops,
    drawn_weights,
    gelu_tanh,
    heads_attend,
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
    softmax,
    under,
)
from train.methods.compound import model as lfan
from train.methods.compound.model import LFAN
from train.methods.emoclip import model as emoclip
from train.methods.emoclip.model import TemporalTransformer
from train.models import relational as relational_models
from train.models.relational import ClipEncoder, ContextHead

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
Shapes = dict[str, tuple[int, ...]]


def normal(generator: np.random.Generator, *shape: int) -> Array:
    (values,) = rounded(generator.normal(size=shape))
    return values


def neck_shapes(dim: int, layers: int, feedforward: int, table: int) -> Shapes:
    shapes: Shapes = {"pos_emb.weight": (table, dim)}
    for layer in range(layers):
        name = f"transformer.layers.{layer}."
        shapes |= multi_head_shapes(f"{name}self_attn.", dim)
        shapes |= linear_shapes(f"{name}linear1.", dim, feedforward) | linear_shapes(
            f"{name}linear2.", feedforward, dim
        )
        shapes |= norm_shapes(f"{name}norm1.", dim) | norm_shapes(f"{name}norm2.", dim)
    return shapes


def plain_neck(x: Array, weights: Weights, heads: int, layers: int) -> Array:
    h = x + weights["pos_emb.weight"][: len(x)]
    for layer in range(layers):
        name = f"transformer.layers.{layer}."
        normed = layer_norm(h, weights, f"{name}norm1.")
        h = h + multi_head(normed, normed, weights, f"{name}self_attn.", heads)
        hidden = relu(linear(layer_norm(h, weights, f"{name}norm2."), weights, f"{name}linear1."))
        h = h + linear(hidden, weights, f"{name}linear2.")
    return np.asarray((h + x).mean(axis=0))


@both_types
@pytest.mark.parametrize("prefix", ["", "param.", "module."])
@pytest.mark.parametrize(
    ("batch", "frames", "dim", "heads", "layers", "feedforward", "table"),
    [(1, 1, 8, 2, 1, 12, 1), (3, 7, 24, 3, 2, 64, 9), (2, 13, 32, 16, 3, 5, 1000)],
)
def test_the_clip_encoder(
    batch: int, frames: int, dim: int, heads: int, layers: int, feedforward: int, table: int, prefix: str,
    dtype: torch.dtype,
) -> None:  # fmt: skip
    generator = np.random.default_rng(frames)
    weights = drawn_weights(neck_shapes(dim, layers, feedforward, table), generator)
    x = normal(generator, batch, frames, dim)
    encoder = ready(ClipEncoder(dim, heads=heads, layers=layers, feedforward=feedforward), dtype)
    relational_models.load_reference(encoder, published_state(weights, prefix))
    expected = np.stack([plain_neck(one, weights, heads, layers) for one in x])
    assert_equals_loops(encoder(as_tensor(x, dtype)), expected)


def head_shapes(dim: int, outputs: int) -> Shapes:
    shapes = norm_shapes("nlb.ln.", dim) | linear_shapes("fc_nlb.", 2 * dim, 2 * dim)
    for name in ("theta", "phi", "gi", "fc"):
        shapes |= {f"nlb.{name}.weight": (dim, dim, 1), f"nlb.{name}.bias": (dim,)}
    for number in range(outputs):
        shapes |= linear_shapes(f"fc{number + 1}.", 2 * dim // outputs, 1)
    return shapes


def plain_head(clip: Array, context: Array, weights: Weights, outputs: int, scale: float) -> Array:
    query = linear(clip, weights, "nlb.theta.")
    attention = softmax(np.array([scale * (query @ linear(one, weights, "nlb.phi.")) for one in context]))
    mixed = sum(a * linear(one, weights, "nlb.gi.") for a, one in zip(attention, context, strict=True))
    block = linear(relu(layer_norm(np.asarray(mixed), weights, "nlb.ln.")), weights, "nlb.fc.") + clip
    hidden = relu(linear(relu(np.concatenate([clip, block])), weights, "fc_nlb."))
    slices = np.split(hidden, outputs)
    return np.concatenate([linear(part, weights, f"fc{number + 1}.") for number, part in enumerate(slices)])


@both_types
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(
    ("batch", "clips", "dim", "outputs"), [(1, 1, 4, 2), (5, 3, 18, 2), (2, 9, 12, 4), (3, 5, 7, 1)]
)
def test_the_context_head(batch: int, clips: int, dim: int, outputs: int, reference: bool, dtype: torch.dtype) -> None:
    generator = np.random.default_rng(dim)
    weights = drawn_weights(head_shapes(dim, outputs), generator)
    clip, context = normal(generator, batch, dim), normal(generator, batch, clips, dim)
    head = ready(ContextHead(dim, outputs, reference=reference), dtype)
    relational_models.load_reference(head, published_state(weights))
    scale = float(np.sqrt(np.float32(dim))) if reference else dim**-0.5
    expected = [plain_head(*pair, weights, outputs, scale) for pair in zip(clip, context, strict=True)]
    found = head(as_tensor(clip, dtype), as_tensor(context, dtype))
    if reference and dtype == torch.float32:  # logits times sqrt(D) leave single precision few digits
        torch.testing.assert_close(found.double(), torch.from_numpy(np.stack(expected)), rtol=1e-3, atol=1e-4)
    else:
        assert_equals_loops(found, np.stack(expected))


def emoclip_shapes(dim: int, depth: int, heads: int, head_dim: int, mlp_dim: int, table: int) -> Shapes:
    shapes: Shapes = {"cls_token": (1, 1, dim), "pos_embedding": (1, table, dim)}
    for layer in range(depth):
        name = f"temporal_transformer.layers.{layer}."
        shapes |= norm_shapes(f"{name}0.fn.norm.", dim) | norm_shapes(f"{name}1.fn.norm.", dim)
        shapes[f"{name}0.fn.fn.to_qkv.weight"] = (3 * heads * head_dim, dim)
        if (heads, head_dim) != (1, dim):
            shapes |= linear_shapes(f"{name}0.fn.fn.to_out.0.", heads * head_dim, dim)
        shapes |= linear_shapes(f"{name}1.fn.fn.net.0.", dim, mlp_dim)
        shapes |= linear_shapes(f"{name}1.fn.fn.net.3.", mlp_dim, dim)
    return shapes


def plain_temporal(x: Array, weights: Weights, depth: int, heads: int) -> Array:
    h = np.concatenate([weights["cls_token"][0], x]) + weights["pos_embedding"][0, : len(x) + 1]
    for layer in range(depth):
        name = f"temporal_transformer.layers.{layer}."
        query, key, value = np.split(
            linear(layer_norm(h, weights, f"{name}0.fn.norm."), weights, f"{name}0.fn.fn.to_qkv."), 3, axis=1
        )
        mixed = heads_attend(query, key, value, heads)
        last = f"{name}0.fn.fn.to_out.0."
        h = h + (linear(mixed, weights, last) if f"{last}weight" in weights else mixed)
        hidden = gelu_tanh(linear(layer_norm(h, weights, f"{name}1.fn.norm."), weights, f"{name}1.fn.fn.net.0."))
        h = h + linear(hidden, weights, f"{name}1.fn.fn.net.3.")
    return h


@both_types
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(
    ("batch", "frames", "dim", "depth", "heads", "head_dim", "mlp_dim"),
    [(1, 1, 6, 1, 1, 6, 4), (2, 5, 10, 3, 2, 7, 30), (3, 17, 16, 2, 8, 3, 16)],
)
def test_the_temporal_transformer(
    batch: int, frames: int, dim: int, depth: int, heads: int, head_dim: int, mlp_dim: int, reference: bool,
    dtype: torch.dtype,
) -> None:  # fmt: skip
    generator = np.random.default_rng(frames)
    weights = drawn_weights(emoclip_shapes(dim, depth, heads, head_dim, mlp_dim, frames + 1), generator)
    x = normal(generator, batch, frames, dim)
    module = TemporalTransformer(
        dim, depth=depth, heads=heads, head_dim=head_dim, mlp_dim=mlp_dim, reference=reference
    )  # fmt: skip
    emoclip.load_reference(module.to(dtype), published_state(weights))
    expected = np.stack([plain_temporal(one, weights, depth, heads) for one in x])
    assert_equals_loops(module.tokens(as_tensor(x, dtype)), expected)
    assert_equals_loops(module(as_tensor(x, dtype)), expected[:, 0])


def lfan_shapes(
    inputs: dict[str, int], channels: dict[str, list[int]], classes: int, modal: int, kernel: int
) -> Shapes:
    shapes: Shapes = {}
    for name, first in inputs.items():
        width = first
        for block, outer in enumerate(channels[name]):
            place = f"temporal.{name}.network.{block}."
            for number, inner in ((1, width), (2, outer)):
                shapes[f"{place}conv{number}.bias"] = (outer,)
                shapes[f"{place}conv{number}.weight_g"] = (outer, 1, 1)
                shapes[f"{place}conv{number}.weight_v"] = (outer, inner, kernel)
            if width != outer:
                shapes |= {f"{place}downsample.weight": (outer, width, 1), f"{place}downsample.bias": (outer,)}
            width = outer
        shapes |= norm_shapes(f"bn.{name}.", width) | {f"bn.{name}.running_mean": (width,)}
        shapes |= linear_shapes(f"fusion.layers.self_attn.qkv_proj.{name}.", width, 3 * modal)
    fused = modal * len(inputs)
    leader = channels[next(iter(inputs))][-1]
    shapes |= linear_shapes("fusion.layers.self_attn.o_proj.", fused, fused)
    return shapes | norm_shapes("fusion.layers.norm1.", fused) | linear_shapes("regressor.", leader + fused, classes)


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.01 * x)


def plain_convolution(x: Array, weights: Weights, name: str, dilation: int) -> Array:
    """(T, C) → (T, C'), looking back."""
    direction = weights[f"{name}weight_v"]
    kernel = weights[f"{name}weight_g"] * direction / np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
    out = np.tile(weights[f"{name}bias"], (len(x), 1))
    taps = kernel.shape[2]
    for time in range(len(x)):
        for tap in range(taps):
            source = time - (taps - 1 - tap) * dilation
            if source >= 0:
                out[time] += kernel[:, :, tap] @ x[source]
    return out


def plain_lfan(sequences: dict[str, Array], weights: Weights, modal: int, heads: int) -> Array:
    encoded = {}
    for name, x in sequences.items():
        block, h = 0, x
        while f"temporal.{name}.network.{block}.conv1.bias" in weights:
            place = f"temporal.{name}.network.{block}."
            inner = leaky(plain_convolution(h, weights, f"{place}conv1.", 2**block))
            inner = leaky(plain_convolution(inner, weights, f"{place}conv2.", 2**block))
            shortcut = linear(h, weights, f"{place}downsample.") if f"{place}downsample.bias" in weights else h
            block, h = block + 1, leaky(inner + shortcut)
        norm = under(weights, f"bn.{name}.")
        h = (h - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
        encoded[name] = h
    width = modal // heads
    frames = []
    for time in range(len(next(iter(sequences.values())))):
        packed = [linear(encoded[name][time], weights, f"fusion.layers.self_attn.qkv_proj.{name}.") for name in encoded]
        values = []
        for head in range(heads):
            own = np.stack([one[head * 3 * width : (head + 1) * 3 * width] for one in packed])  # (M, 3 · width)
            query, key, value = np.split(own, 3, axis=1)
            values.append((softmax(query @ key.T / np.sqrt(width)) @ value + value).ravel())
        fused = linear(np.concatenate(values), weights, "fusion.layers.self_attn.o_proj.")
        fused = layer_norm(fused, weights, "fusion.layers.norm1.")
        leader = encoded[next(iter(encoded))][time]
        frames.append(linear(np.concatenate([leader, fused]), weights, "regressor."))
    return np.stack(frames)


@both_types
@pytest.mark.parametrize(
    ("inputs", "channels", "classes", "modal", "heads", "kernel"),
    [
        ({"video": 6}, {"video": [6, 4]}, 3, 4, 1, 2),
        ({"audio": 5, "video": 9}, {"audio": [4], "video": [9, 9, 5]}, 7, 6, 3, 3),
        ({"a": 3, "b": 4, "c": 5, "d": 2}, {"a": [4, 4], "b": [5, 3], "c": [6, 2], "d": [2, 2]}, 5, 8, 2, 5),
    ],
)
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (2, 14)])
def test_the_compound_emotion_model(
    inputs: dict[str, int], channels: dict[str, list[int]], classes: int, modal: int, heads: int, kernel: int,
    batch: int, frames: int, dtype: torch.dtype,
) -> None:  # fmt: skip
    generator = np.random.default_rng(frames)
    weights = drawn_weights(lfan_shapes(inputs, channels, classes, modal, kernel), generator)
    for name in inputs:
        weights[f"bn.{name}.running_var"] = (
            generator.uniform(0.5, 2, channels[name][-1]).astype(np.float32).astype(float)
        )
    sequences = {name: normal(generator, batch, frames, width) for name, width in inputs.items()}
    model = ready(LFAN(inputs, channels, classes=classes, modal_dim=modal, heads=heads, kernel=kernel), dtype)
    assert isinstance(model, LFAN)
    counters = {f"bn.{name}.num_batches_tracked": np.array(0) for name in inputs}
    lfan.load_reference(model, published_state(weights) | counters)
    expected = [
        plain_lfan({name: values[row] for name, values in sequences.items()}, weights, modal, heads)
        for row in range(batch)
    ]
    found = model({name: as_tensor(values, dtype) for name, values in reversed(sequences.items())})
    assert_equals_loops(found, np.stack(expected))
