"""CLIP's towers, on a tiny random model in the format of `transformers`."""

from pathlib import Path

import pytest
import torch

from train.errors import TrainingError
from train.methods.emoclip.clip_towers import ClipTowers, open_clip


def test_crops_of_any_size_and_sentences_meet_in_one_space(towers: ClipTowers) -> None:
    crops = torch.randint(0, 256, (3, 20, 20, 3), dtype=torch.uint8)
    assert towers(crops).shape == (3, towers.dim)
    assert towers.sentences(["a calm face", "a smile"]).shape == (2, 8)


def test_a_crop_is_encoded_as_the_library_does_it(towers: ClipTowers) -> None:
    crops = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    pixels = (crops.permute(0, 3, 1, 2) / 255 - towers.mean) / towers.std
    expected = towers.model.get_image_features(pixel_values=pixels)
    expected = getattr(expected, "pooler_output", expected)
    torch.testing.assert_close(towers(crops), expected)


def test_sentences_of_other_lengths_beside_it_do_not_change_an_embedding(towers: ClipTowers) -> None:
    alone = towers.sentences(["smile"])
    torch.testing.assert_close(towers.sentences(["smile", "a calm face and a smile"])[:1], alone)
    assert (towers.sentences(["calm"]) - alone).abs().max() > 1e-4


def test_a_sentence_is_cut_at_the_longest_text(towers: ClipTowers) -> None:
    assert towers.sentences(["face " * 200]).isfinite().all()


def test_nothing_is_trained_in_the_towers(towers: ClipTowers) -> None:
    assert not any(parameter.requires_grad for parameter in towers.parameters())
    assert towers.logit_scale.item() == pytest.approx(2.6592)


def test_a_folder_without_a_model_is_named_and_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no CLIP model"):
        open_clip(tmp_path)
