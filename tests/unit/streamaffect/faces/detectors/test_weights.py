from pathlib import Path

import pytest

from streamaffect.errors import EngineError
from streamaffect.faces.detectors.weights import SHORT_RANGE_PATH, SHORT_RANGE_SHA256, load_weights


def test_the_shipped_weights_are_the_pinned_ones_and_their_origin_is_written_down() -> None:
    assert len(load_weights()) == 229_714
    assert SHORT_RANGE_SHA256 in (SHORT_RANGE_PATH.parent / "THIRD_PARTY.md").read_text()


def test_one_flipped_bit_is_noticed(tmp_path: Path) -> None:
    damaged = bytearray(load_weights())
    damaged[1000] ^= 1
    path = tmp_path / "weights.tflite"
    path.write_bytes(damaged)
    with pytest.raises(EngineError, match=r"weights\.tflite.*sha256.*expected bbff11cebd1e.*reinstall"):
        load_weights(path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"none\.tflite: cannot read.*No such file"):
        load_weights(tmp_path / "none.tflite")


def test_another_model_can_be_pinned_by_its_own_hash(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert load_weights(path, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == b""
