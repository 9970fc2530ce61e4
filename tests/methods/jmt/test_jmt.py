"""Properties of the joint multimodal transformer and of what surrounds it."""

import warnings
from pathlib import Path
from typing import Literal

import pytest
import torch

from train.data.sets.aff_wild2_windows import thin
from train.methods.jmt.loss import jmt_ccc_loss
from train.methods.jmt.model import IntraModalTransformer, JointMultimodalTransformer, load_reference, sinusoids
from train.methods.jmt.series import series_ccc, smooth, smooth_causal

MODES: tuple[Literal["self_attention", "fc", "concat", "none"], ...] = ("self_attention", "fc", "concat", "none")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(**settings: object) -> JointMultimodalTransformer:
    return JointMultimodalTransformer(12, **settings).double().eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("joint", MODES)
def test_each_video_is_predicted_by_itself_whatever_shares_its_batch(joint: str) -> None:
    model = built(joint=joint)
    visual, audio = random(3, 5, 12), random(3, 5, 12, seed=1)
    together = model(visual, audio)
    assert together.shape == (3, 5, 2)
    torch.testing.assert_close(together[1:2], model(visual[1:2], audio[1:2]))


def test_the_reference_without_a_joint_stream_lets_videos_see_one_another() -> None:
    model = built(joint="none", reference=True)
    visual, audio = random(3, 5, 12), random(3, 5, 12, seed=1)
    assert not torch.allclose(model(visual, audio)[1:2], model(visual[1:2], audio[1:2]))


def test_the_reference_fc_comes_sequence_first() -> None:
    assert built(joint="fc", reference=True)(random(3, 5, 12), random(3, 5, 12)).shape == (5, 3, 2)


@pytest.mark.parametrize("joint", MODES)
def test_steps_in_another_order_give_predictions_in_that_order(joint: str) -> None:
    model, order = built(joint=joint), torch.tensor([3, 0, 4, 1, 2])
    visual, audio = random(2, 5, 12), random(2, 5, 12, seed=1)
    torch.testing.assert_close(model(visual, audio)[:, order], model(visual[:, order], audio[:, order]))


def test_sinusoidal_positions_make_the_order_count() -> None:
    model, order = built(positions="sinusoidal"), torch.tensor([3, 0, 4, 1, 2])
    visual, audio = random(2, 5, 12), random(2, 5, 12, seed=1)
    assert not torch.allclose(model(visual, audio)[:, order], model(visual[:, order], audio[:, order]))
    assert sinusoids(4, 7).shape == (4, 7)


def test_the_length_of_a_vector_does_not_count() -> None:
    model, visual, audio = built(), random(2, 5, 12), random(2, 5, 12, seed=1)
    torch.testing.assert_close(model(visual, audio), model(7 * visual, audio / 3))


def test_absent_sound_is_replaced_by_the_face_and_never_read() -> None:
    model, visual = built(), random(2, 5, 12)
    heard = torch.ones(2, 5, dtype=torch.bool)
    heard[0, 2:] = False
    audio = random(2, 5, 12, seed=1)
    expected = model(visual, torch.where(heard.unsqueeze(-1), audio, visual))
    broken = audio.masked_fill(~heard.unsqueeze(-1), torch.nan).requires_grad_()
    found = model(visual, broken, heard)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), broken)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("joint", MODES)
def test_hidden_steps_leave_the_others_as_if_they_were_not_there(joint: str) -> None:
    model, valid = built(joint=joint), torch.tensor([[False, False, True, True, True]]).expand(2, -1)
    visual, audio = random(2, 5, 12), random(2, 5, 12, seed=1)
    visual[:, 0] = torch.nan
    heard = torch.ones(2, 5, dtype=torch.bool)
    found = model(visual, audio, heard, valid)[:, 2:]
    torch.testing.assert_close(found, model(visual[:, 2:], audio[:, 2:], heard[:, 2:]))


def test_nothing_can_be_hidden_where_videos_see_one_another() -> None:
    model, valid = built(joint="none", reference=True), torch.ones(2, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match="not across a batch"):
        model(random(2, 5, 12), random(2, 5, 12), None, valid)


def test_modalities_of_other_widths_are_mapped_to_the_fusions() -> None:
    model = built(visual_dim=20, audio_dim=7, outputs=3)
    assert model(random(2, 5, 20), random(2, 5, 7)).shape == (2, 5, 3)
    fused = IntraModalTransformer(12, second_dim=9).double()(random(2, 5, 12), random(2, 5, 9))
    assert fused.shape == (2, 5, 12)


def test_the_exported_graph_takes_any_number_of_videos_and_steps(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = JointMultimodalTransformer(12).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own libraries
        axes = {0: torch.export.Dim("N", min=1), 1: torch.export.Dim("S", min=1)}
        torch.onnx.export(
            model, (torch.randn(2, 5, 12), torch.randn(2, 5, 12), torch.ones(2, 5, dtype=torch.bool)),
            tmp_path / "fusion.onnx", dynamo=True, opset_version=18, external_data=False, verbose=False,
            input_names=["visual", "audio", "heard"], output_names=["affect"], dynamic_shapes=(axes, axes, axes),
        )  # fmt: skip
    session = onnxruntime.InferenceSession(tmp_path / "fusion.onnx", providers=["CPUExecutionProvider"])
    for videos, steps in ((1, 1), (3, 9)):
        visual, audio, heard = torch.randn(videos, steps, 12), torch.randn(videos, steps, 12), torch.rand(videos, steps)
        inputs = {"visual": visual.numpy(), "audio": audio.numpy(), "heard": (heard > 0.5).numpy()}
        (found,) = session.run(["affect"], inputs)
        torch.testing.assert_close(torch.from_numpy(found), model(visual, audio, heard > 0.5), rtol=1e-4, atol=1e-5)


def test_a_width_that_does_not_divide_into_the_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="12 does not divide into 5 heads"):
        built(heads=5)


def test_weights_of_another_mode_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong to JointMultimodalTransformer"):
        load_reference(built(joint="concat"), {"mm_transformer.final_layer.weight": torch.zeros(12, 24)})


def test_invalid_labels_are_left_out_of_the_loss_unless_the_reference_is_asked_for() -> None:
    pred, target = random(20), random(20, seed=1).clamp(-1, 1)
    target[3:6] = -5.0
    kept = target != -5.0
    assert jmt_ccc_loss(pred, target).item() == pytest.approx(jmt_ccc_loss(pred[kept], target[kept]).item())
    assert jmt_ccc_loss(pred, target, reference=True).item() != pytest.approx(jmt_ccc_loss(pred, target).item())


def test_the_loss_of_constant_predictions_is_one_with_a_finite_gradient() -> None:
    pred = torch.zeros(8, requires_grad=True)
    for target in (torch.linspace(-1, 1, 8), torch.zeros(8)):
        loss = jmt_ccc_loss(pred, target)
        (gradient,) = torch.autograd.grad(loss, pred)
        assert loss.item() == 1.0
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("faces", "chosen"),
    [
        (range(32), [0, 4, 8, 12, 16, 20, 24, 28]),
        (range(25), [3, 6, 9, 12, 15, 18, 21, 24]),
        (range(16), [0, 2, 4, 6, 8, 10, 12, 14]),
        (range(9), [1, 2, 3, 4, 5, 6, 7, 8]),
        ([5, 9], [5, 9, 9, 9, 9, 9, 9, 9]),
    ],
)
def test_a_sub_clip_is_thinned_to_eight_frames_with_a_face(faces: range | list[int], chosen: list[int]) -> None:
    assert thin(faces) == chosen


def test_a_sub_clip_without_a_face_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 1 to 32 faces, found 0"):
        thin([])


def test_a_pulse_is_spread_over_the_window_around_it() -> None:
    pulse = torch.zeros(9)
    pulse[4] = 5.0  # clipped to 1
    assert smooth(pulse, 4).tolist() == [0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0]
    assert smooth_causal(pulse, 4).tolist() == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0]


def test_causal_smoothing_starts_from_what_there_is_and_never_looks_ahead() -> None:
    series = random(30).clamp(-1, 1)
    torch.testing.assert_close(smooth_causal(series[:12], 8), smooth_causal(series, 8)[:12])
    assert smooth_causal(torch.full((5,), 0.5), 4).tolist() == [0.5] * 5


def test_frames_without_a_label_or_prediction_raise_the_score_only_in_the_reference() -> None:
    target = 0.6 + 0.1 * random(60, seed=1)
    pred = 0.6 + 0.1 * random(60)
    target[:20] = -5.0
    predicted = torch.arange(60) < 50
    honest = series_ccc(pred, target, predicted=predicted)
    assert honest.item() == pytest.approx(series_ccc(pred[20:50], target[20:50]).item())
    assert series_ccc(pred, target, predicted=predicted, reference=True) > honest
