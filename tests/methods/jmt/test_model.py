"""Properties of the joint multimodal transformer."""

from pathlib import Path

import onnxruntime
import pytest
import torch

from train.bundle.graphs import TracedGraph, export_graph
from train.methods.jmt.model import IntraModalTransformer, JointMultimodalTransformer, load_reference, sinusoids
from train.methods.jmt.recipe import Joint

MODES: tuple[Joint, ...] = ("self_attention", "fc", "concat", "none")


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


def test_a_hidden_face_is_replaced_by_the_voice_and_never_read() -> None:
    model, audio = built(), random(2, 5, 12, seed=1)
    seen = torch.ones(2, 5, dtype=torch.bool)
    seen[0, 2:] = False
    visual = random(2, 5, 12)
    expected = model(torch.where(seen.unsqueeze(-1), visual, audio), audio)
    broken = visual.masked_fill(~seen.unsqueeze(-1), torch.nan).requires_grad_()
    found = model(broken, audio, None, None, seen)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), broken)
    assert gradient.isfinite().all()


def test_masks_that_hide_nothing_change_no_bit() -> None:
    model, visual, audio = built(), random(2, 5, 12), random(2, 5, 12, seed=1)
    everywhere = torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(model(visual, audio, everywhere, None, everywhere), model(visual, audio))


def test_a_step_without_face_and_voice_holds_nothing_of_either() -> None:
    model, there = built(visual_dim=7, audio_dim=9), torch.tensor([[True, False, True]])
    visual, audio = random(1, 3, 7), random(1, 3, 9, seed=1)
    broken = [part.masked_fill(~there.unsqueeze(-1), torch.nan) for part in (visual, audio)]
    found = model(*broken, there, None, there)
    assert found.isfinite().all()
    assert torch.equal(found, model(visual, audio, there, None, there))


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
    model = JointMultimodalTransformer(12).eval()
    examples = {"visual": torch.randn(2, 5, 12), "audio": torch.randn(2, 5, 12), "heard": torch.rand(2, 5) > 0.5}
    export_graph(TracedGraph(model, examples, ["affect"], lengths={1: "S"}), tmp_path / "fusion.onnx")
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
