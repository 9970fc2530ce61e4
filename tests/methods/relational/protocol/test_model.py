"""The regressor of raw clips: what it sees of the context, and where gradients flow."""

import pytest
import torch
from torch import Tensor, nn

from train.methods.relational.protocol.model import ClipRegressor
from train.models.relational import ClipEncoder, ContextHead

DIM, FRAMES, CLIPS, SIZE = 8, 4, 3, 2


class MeanColours(nn.Module):
    """A frame encoder that counts the frames that it has normalised with their own statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, DIM)
        self.norm = nn.BatchNorm1d(DIM)

    def forward(self, crops: Tensor) -> Tensor:
        out: Tensor = self.norm(self.project(crops.float().mean(dim=(1, 2)) / 255))
        return out


def regressor(*, noisy_context: bool = False) -> ClipRegressor:
    torch.manual_seed(1)
    neck = ClipEncoder(DIM, heads=2, layers=1, feedforward=8)
    return ClipRegressor(MeanColours(), neck, ContextHead(DIM, 2), noisy_context=noisy_context)


def crops(batch: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (batch, CLIPS, FRAMES, SIZE, SIZE, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_a_batch_gives_a_clip_vector_and_a_prediction_each() -> None:
    query, pred = regressor()(crops())
    assert query.shape == (5, DIM)
    assert pred.shape == (5, 2)


def test_the_prediction_is_that_of_the_middle_clip_among_all() -> None:
    model = regressor().eval()
    batch = crops()
    clips = model.encode(batch.flatten(0, 1)).reshape(5, CLIPS, DIM)
    query, pred = model(batch)
    torch.testing.assert_close(query, clips[:, CLIPS // 2])
    torch.testing.assert_close(pred, model.head(clips[:, CLIPS // 2], clips))


@pytest.mark.parametrize(("noisy_context", "batches"), [(False, 1), (True, 2)])
def test_the_context_updates_running_statistics_only_as_published(noisy_context: bool, batches: int) -> None:
    model = regressor(noisy_context=noisy_context).train()
    model(crops())
    assert isinstance(model.encoder, MeanColours)
    assert model.encoder.norm.num_batches_tracked == batches
    assert model.training
    assert model.neck.training


def test_no_gradient_flows_through_the_context() -> None:
    model = regressor().train()
    frames: list[Tensor] = []
    model.encoder.register_forward_hook(lambda _module, _inputs, output: frames.append(output))
    model(crops())[1].sum().backward()
    (with_gradient,) = [output for output in frames if output.requires_grad]
    assert len(with_gradient) == 5 * FRAMES
