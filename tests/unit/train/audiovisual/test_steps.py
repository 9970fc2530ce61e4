"""Audio-visual steps of a recording, with a bundle whose every number is known."""

import numpy as np
import pytest
import torch

from tests.support.bundles import SIZE, write_bundle
from train.audiovisual.log_mel import LogMelConfig, log_mel
from train.audiovisual.sound import Sound
from train.audiovisual.steps import StepWindows, in_windows, join_steps, recorded_steps
from train.data.backbone import VisualBackbone, open_backbone
from train.errors import DataError

PERIOD_S, FRAMES, STEPS = 0.1, 4, 3
STEP_S = PERIOD_S * FRAMES
MEL = LogMelConfig(rate_hz=1000, bands=8, fft=64, window=50, hop=25, least_samples=300)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> VisualBackbone:
    folder = write_bundle(tmp_path_factory.mktemp("steps") / "bundle", frames=FRAMES, period_s=PERIOD_S)
    return open_backbone(str(folder))


def recorded(backbone: VisualBackbone, sound: Sound | None, stride_s: float = 0.0) -> StepWindows:
    """Two seconds in which the red of the face grows by one grey level each frame."""
    time_s = np.arange(20) * PERIOD_S
    crops = np.zeros((20, SIZE, SIZE, 3), np.uint8)
    crops[..., 0] = np.arange(20)[:, None, None]
    labels = np.stack([time_s, -time_s], axis=1)
    return recorded_steps(
        backbone, crops, time_s, labels, sound=sound, mel=MEL, steps=STEPS, stride_s=stride_s
    )  # fmt: skip


def test_a_window_holds_the_clip_that_ends_now_and_those_before_it(backbone: VisualBackbone) -> None:
    steps = recorded(backbone, None)
    assert steps.windows.shape == (20, STEPS)
    red = 255 * steps.visual[:, 0]
    # The clip vector is the mean of four frames, and a clip ends four frames after the one before it.
    torch.testing.assert_close(red[steps.windows[19]], torch.tensor([9.5, 13.5, 17.5]), rtol=0, atol=1e-3)
    assert steps.valid[19].all()
    assert steps.valid[0].tolist() == [False, False, True]
    torch.testing.assert_close(steps.labels[steps.windows[19], 0], torch.tensor([1.1, 1.5, 1.9]))
    assert steps.overlap


def test_what_is_heard_ends_with_the_step(backbone: VisualBackbone) -> None:
    noise = 0.1 * torch.randn(1000, generator=torch.Generator().manual_seed(0))
    steps = recorded(backbone, Sound(noise, MEL.rate_hz))
    torch.testing.assert_close(steps.audio[9], log_mel(noise[600:900], MEL))
    assert steps.heard.tolist() == [False, *[True] * 12, *[False] * 7]


def test_without_a_sound_nothing_is_heard(backbone: VisualBackbone) -> None:
    assert not recorded(backbone, None).heard.any()


def test_windows_that_end_once_a_step_need_only_their_own_steps(backbone: VisualBackbone) -> None:
    steps = recorded(backbone, None, stride_s=STEP_S)
    assert steps.windows.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert len(steps.visual) == 5


def test_recordings_are_joined_without_sharing_a_window(backbone: VisualBackbone) -> None:
    one = recorded(backbone, None, stride_s=STEP_S)
    both = join_steps([one, one])
    assert len(both.visual) == 10
    assert (both.windows[5:] == one.windows + 5).all()


def test_the_labels_of_steps_that_are_not_there_do_not_count(backbone: VisualBackbone) -> None:
    steps = recorded(backbone, None, stride_s=STEP_S)
    target = steps.targets(steps.windows[:2], steps.valid[:2])
    assert (target[..., 0] == -5).tolist() == [[True, True, False], [True, False, False]]


def test_windows_of_a_feature_file_share_no_step() -> None:
    steps = in_windows(
        torch.rand(3, 5, 2), torch.rand(3, 5, 4), torch.ones(3, 5, dtype=torch.bool), torch.rand(3, 5, 2)
    )
    assert not steps.overlap
    assert steps.windows.flatten().tolist() == list(range(15))


def test_features_of_another_width_than_the_bundles_are_refused(backbone: VisualBackbone) -> None:
    with pytest.raises(DataError, match=r"train: 'visual' has 7 features, the clip vectors of the bundle have 3"):
        backbone.check_width(7, "train")
