"""Published checkpoints become safetensors, and nothing in them is executed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from streamaffect.errors import ConfigError
from train.cli import main
from train.convert import convert_checkpoint


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_the_parts_of_a_data_parallel_checkpoint_become_dotted_names(tmp_path: Path) -> None:
    neck = nn.Linear(3, 2)
    state = {f"module.{name}": value for name, value in neck.state_dict().items()}
    source, target = tmp_path / "fold.pth.tar", tmp_path / "fold.safetensors"
    torch.save({"epoch": 7, "neck": state}, source)
    assert convert_checkpoint(source, target) == ["neck.bias", "neck.weight"]
    assert torch.equal(load_file(target)["neck.weight"], neck.weight)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold.pth.tar", "fold.safetensors"]


def test_tensors_that_share_their_storage_are_written_both(tmp_path: Path) -> None:
    table = torch.arange(6.0)
    torch.save({"a": table, "b": table[:2]}, tmp_path / "shared.pt")
    assert convert_checkpoint(tmp_path / "shared.pt", tmp_path / "out.safetensors") == ["a", "b"]


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"neck": Touch(tmp_path / "executed")}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match="no checkpoint of plain weights"):
        convert_checkpoint(tmp_path / "evil.pt", tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pt"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "broken.pt"
    source.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.pt: is no checkpoint"):
        convert_checkpoint(source, tmp_path / "out.safetensors")


def test_a_missing_file_and_an_empty_checkpoint_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        convert_checkpoint(tmp_path / "none.pt", tmp_path / "out.safetensors")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(ConfigError, match="holds no tensors"):
        convert_checkpoint(tmp_path / "empty.pt", tmp_path / "out.safetensors")


def test_the_command_prints_the_names_or_one_line_that_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"neck": {"weight": torch.zeros(2)}}, tmp_path / "fold.pt")
    assert main(["convert", str(tmp_path / "fold.pt"), str(tmp_path / "out.safetensors")]) == 0
    assert capsys.readouterr().out == "neck.weight\n"
    assert main(["convert", str(tmp_path / "none.pt"), str(tmp_path / "out.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
