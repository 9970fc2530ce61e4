"""Series of a video's predictions, smoothed and scored."""

import pytest
import torch

from train.methods.jmt.series import series_ccc, smooth, smoothed_scores


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_pulse_is_spread_over_the_window_around_it() -> None:
    pulse = torch.zeros(9)
    pulse[4] = 5.0  # clipped to 1
    assert smooth(pulse, 4).tolist() == [0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0]


def test_frames_without_a_label_or_prediction_raise_the_score_only_in_the_reference() -> None:
    target = 0.6 + 0.1 * random(60, seed=1)
    pred = 0.6 + 0.1 * random(60)
    target[:20] = -5.0
    predicted = torch.arange(60) < 50
    honest = series_ccc(pred, target, predicted=predicted)
    assert honest.item() == pytest.approx(series_ccc(pred[20:50], target[20:50]).item())
    assert series_ccc(pred, target, predicted=predicted, reference=True) > honest


def test_each_video_is_smoothed_by_itself_over_the_published_time() -> None:
    """Two videos whose steps are stored out of order, as windows leave them; labels that need no smoothing."""
    time = torch.arange(200, dtype=torch.float64)
    labels = torch.stack([(time / 40).sin(), (time / 60).cos()], dim=1)
    labels[7] = -5.0
    pred = labels.masked_fill(labels == -5.0, 0.0) + 0.5 * random(200, 2)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    series = [place[:120], place[120:]]
    scores = smoothed_scores(pred[order], labels[order], series, every=1)
    kept = torch.arange(200) != 7
    for i, (name, window) in enumerate((("valence", 20), ("arousal", 50))):
        smoothed = torch.cat([smooth(pred[:120, i], window), smooth(pred[120:, i], window)])
        assert scores[f"ccc_{name}_smoothed"] == pytest.approx(series_ccc(smoothed[kept], labels[kept, i]).item())
    assert scores["ccc_valence_smoothed"] > series_ccc(pred[kept, 0], labels[kept, 0]) + 0.05


def test_steps_further_apart_than_the_window_are_clipped_alone() -> None:
    pred, labels = 2 * random(50, 2), random(50, 2, seed=1).clamp(-1, 1)
    scores = smoothed_scores(pred, labels, [torch.arange(50)], every=32)
    assert scores["ccc_arousal_smoothed"] == pytest.approx(series_ccc(pred[:, 1].clamp(-1, 1), labels[:, 1]).item())


def test_an_average_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame, found 0"):
        smooth(torch.zeros(3), 0)
