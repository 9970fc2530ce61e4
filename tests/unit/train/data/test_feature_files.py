"""Features from files: what is read, and the one line for each way in which a file is not as described."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from train.data.feature_files import load_features
from train.errors import DataError

EXPECTED = {"visual": "NF", "heard": "N bool", "labels": "N int"}


def saved(folder: Path, **changed: torch.Tensor) -> Path:
    tensors = {
        "visual": torch.ones(4, 3, dtype=torch.float16),
        "heard": torch.ones(4, dtype=torch.bool),
        "labels": torch.arange(4, dtype=torch.int32),
    }
    save_file(tensors | changed, folder / "train.safetensors")
    return folder


def test_tensors_come_as_float32_and_int64_and_others_are_left(tmp_path: Path) -> None:
    found = load_features(saved(tmp_path, notes=torch.zeros(1)), "train", EXPECTED)
    assert [tensor.dtype for tensor in found.values()] == [torch.float32, torch.bool, torch.int64]
    assert found["labels"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": torch.arange(5)}, r"'labels' has shape \(5,\), expected axes \(N\)"),
        ({"visual": torch.ones(4)}, r"'visual' has shape \(4,\), expected axes \(N, F\)"),
        ({"labels": torch.ones(4)}, "'labels' is torch.float32, expected int numbers"),
        ({"heard": torch.ones(4)}, "expected bool numbers"),
        ({"visual": torch.ones(4, 3, dtype=torch.int64)}, "expected floating numbers"),
    ],
)
def test_a_tensor_of_another_shape_or_kind_is_refused(
    changed: dict[str, torch.Tensor], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        load_features(saved(tmp_path, **changed), "train", EXPECTED)


def test_a_missing_folder_file_or_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs --data"):
        load_features(None, "train", EXPECTED)
    with pytest.raises(DataError, match=r"val\.safetensors: cannot be read"):
        load_features(tmp_path, "val", EXPECTED)
    with pytest.raises(DataError, match="has no tensor 'audio'"):
        load_features(saved(tmp_path), "train", EXPECTED | {"audio": "NA"})
    (tmp_path / "val.safetensors").write_bytes(b"no tensors")
    with pytest.raises(DataError, match=r"val\.safetensors: cannot be read"):
        load_features(tmp_path, "val", EXPECTED)
