"""Properties of the clip encoder and the heads."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from train.models.relational import (
    ClinicalContextHead,
    ClinicalHead,
    ClipEncoder,
    ContextAttention,
    ContextFreeHead,
    ContextHead,
    load_reference,
)

DIM, CLIPS, CONTEXT = 12, 3, 5


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(11)


@pytest.fixture
def head() -> ContextHead:
    return ContextHead(DIM, 2).double().eval()


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(CLIPS, DIM, dtype=torch.float64)


@pytest.fixture
def context() -> torch.Tensor:
    return torch.randn(CLIPS, CONTEXT, DIM, dtype=torch.float64)


@pytest.fixture
def valid() -> torch.Tensor:
    return torch.tensor([[True, False, True, True, False]]).expand(CLIPS, -1)


def test_the_order_of_the_context_does_not_count(head: ContextHead, clip: torch.Tensor, context: torch.Tensor) -> None:
    torch.testing.assert_close(head(clip, context[:, torch.randperm(CONTEXT)]), head(clip, context))


def test_the_order_of_the_frames_counts() -> None:
    encoder = ClipEncoder(DIM, heads=3, feedforward=8).double().eval()
    torch.nn.init.normal_(encoder.positions)
    frames = torch.randn(2, 4, DIM, dtype=torch.float64)
    assert (encoder(frames.flip(1)) - encoder(frames)).abs().max() > 1e-3


def test_hiding_context_clips_equals_removing_them(
    head: ContextHead, clip: torch.Tensor, context: torch.Tensor, valid: torch.Tensor
) -> None:
    torch.testing.assert_close(head(clip, context, valid), head(clip, context[:, valid[0]]))


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), 1e30])
def test_hidden_context_clips_leak_into_neither_values_nor_gradients(
    head: ContextHead, clip: torch.Tensor, context: torch.Tensor, valid: torch.Tensor, rubbish: float
) -> None:
    spoilt = context.masked_fill(~valid.unsqueeze(-1), rubbish).requires_grad_()
    pred = head(clip, spoilt, valid)
    (gradient,) = torch.autograd.grad(pred.sum(), spoilt)
    torch.testing.assert_close(pred, head(clip, context, valid))
    assert gradient.isfinite().all()
    assert (gradient[~valid] == 0).all()
    assert (gradient[valid] != 0).any()


def test_attention_weights_sum_to_one_over_the_valid_context(
    clip: torch.Tensor, context: torch.Tensor, valid: torch.Tensor
) -> None:
    weights = ContextAttention(DIM).double().weights(clip, context, valid)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(CLIPS, dtype=torch.float64))
    assert (weights[~valid] == 0).all()


def test_the_published_attention_is_sharper_by_the_width(clip: torch.Tensor, context: torch.Tensor) -> None:
    ours, published = ContextAttention(DIM).double(), ContextAttention(DIM, reference=True).double()
    published.load_state_dict(ours.state_dict())
    assert published.scale / ours.scale == pytest.approx(DIM, rel=1e-6)
    assert (published.weights(clip, context).amax(1) > ours.weights(clip, context).amax(1)).all()


@pytest.mark.parametrize("outputs", [1, 2, 3, 7])
def test_a_head_has_any_number_of_outputs(clip: torch.Tensor, context: torch.Tensor, outputs: int) -> None:
    assert ContextHead(DIM, outputs).double()(clip, context).shape == (CLIPS, outputs)
    assert ContextFreeHead(DIM, outputs, width=6).double()(clip).shape == (CLIPS, outputs)


@pytest.mark.parametrize("symptoms", [3, 4])
def test_clinical_heads_give_each_symptom_and_the_total(
    clip: torch.Tensor, context: torch.Tensor, symptoms: int
) -> None:
    assert ClinicalContextHead(DIM, symptoms).double()(clip, context).shape == (CLIPS, symptoms + 1)
    assert ClinicalHead(DIM, symptoms).double()(clip).shape == (CLIPS, symptoms + 1)


def test_three_symptoms_leave_the_fourth_slice_to_the_total(clip: torch.Tensor) -> None:
    head = ClinicalHead(DIM, 3).double().eval()
    before = head(clip)
    torch.nn.init.constant_(head.readout.widen.bias[-DIM // 4 :].data, 5.0)
    changed = (head(clip) != before).any(dim=0)
    assert changed.tolist() == [False, False, False, True]


def test_five_symptoms_do_not_fit_four_slices() -> None:
    with pytest.raises(ValueError, match="5 outputs need a slice each, found 4"):
        ClinicalHead(DIM, 5)


def test_a_width_that_does_not_divide_into_the_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="width of 12 does not divide into 5 heads"):
        ClipEncoder(DIM, heads=5)


def test_a_clip_longer_than_the_positional_table_is_refused() -> None:
    with pytest.raises(ValueError, match="5 frames does not fit a positional table of 4"):
        ClipEncoder(DIM, heads=3, positions=4)(torch.zeros(1, 5, DIM))


def published_head_weights() -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {f"nlb.{name}": (DIM, DIM, 1) for name in ("theta", "phi", "gi", "fc")}
    shapes |= {"nlb.ln": (DIM,), "fc_nlb": (2 * DIM, 2 * DIM), "fc1": (1, DIM), "fc2": (1, DIM)}
    generator = np.random.default_rng(0)
    weights = {f"{name}.weight": generator.normal(size=shape) for name, shape in shapes.items()}
    return weights | {f"{name}.bias": generator.normal(size=shape[0]) for name, shape in shapes.items()}


@pytest.mark.parametrize("wrapper", ["", "module."])
def test_published_names_load_with_and_without_the_data_parallel_prefix(wrapper: str) -> None:
    head, weights = ContextHead(DIM, 2, reference=True), published_head_weights()
    load_reference(head, {wrapper + name: value for name, value in weights.items()})
    loaded = head.state_dict()
    assert loaded["readout.parts.0.bias"].tolist() == pytest.approx(weights["fc1.bias"].tolist())
    assert loaded["attention.key.weight"][2].tolist() == pytest.approx(weights["nlb.phi.weight"][2, :, 0].tolist())


def test_missing_and_unknown_published_names_are_reported_and_nothing_is_loaded(head: ContextHead) -> None:
    weights = published_head_weights()
    weights["surplus.weight"] = weights.pop("fc2.weight")
    before = head.readout.widen.weight.clone()
    with pytest.raises(ValueError, match=r"missing \['readout.parts.1.weight'\], unknown \['surplus.weight'\]"):
        load_reference(head, weights)
    assert torch.equal(head.readout.widen.weight, before)


def test_weights_of_another_width_are_refused_and_nothing_is_loaded(head: ContextHead) -> None:
    weights = published_head_weights()
    weights["fc2.weight"] = np.zeros((1, 3))
    before = head.readout.widen.weight.clone()
    with pytest.raises(ValueError, match=r"shape \(1, 3\), the module expects \(1, 12\)"):
        load_reference(head, weights)
    assert torch.equal(head.readout.widen.weight, before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_small_model_exports_to_onnx_with_a_free_batch(tmp_path: Path) -> None:
    encoder = ClipEncoder(128, heads=4, feedforward=256).eval()
    head = ContextHead(128, 2).eval()
    batch = torch.export.Dim("N")
    encoder_file, head_file = tmp_path / "clip_encoder.onnx", tmp_path / "context_head.onnx"
    torch.onnx.export(
        encoder, (torch.randn(2, 8, 128),), encoder_file, dynamo=True, dynamic_shapes=({0: batch},), verbose=False
    )
    example = (torch.randn(2, 128), torch.randn(2, 5, 128), torch.ones(2, 5, dtype=torch.bool))
    torch.onnx.export(head, example, head_file, dynamo=True, dynamic_shapes=({0: batch},) * 3, verbose=False)
    for rows in (1, 3):
        frames, context = torch.randn(rows, 8, 128), torch.randn(rows, 5, 128)
        valid = torch.rand(rows, 5) > 0.5
        valid[:, 0] = True
        clip = encoder(frames)
        assert_runs_alike(encoder_file, [frames], clip)
        assert_runs_alike(head_file, [clip, context, valid], head(clip, context, valid))


def assert_runs_alike(graph: Path, inputs: list[torch.Tensor], expected: torch.Tensor) -> None:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    feed = {name: value.detach().numpy() for name, value in zip(names, inputs, strict=True)}
    np.testing.assert_allclose(session.run(None, feed)[0], expected.detach().numpy(), rtol=1e-4, atol=1e-5)
