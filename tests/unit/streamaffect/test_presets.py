"""The presets of configs/stream: each is accepted, and the default one is what the program prints."""

from pathlib import Path

import pytest

from streamaffect.config import Config, load_config, to_toml
from streamaffect.feed.address import check_protection

PRESETS = sorted((Path(__file__).parents[3] / "configs" / "stream").glob("*.toml"))


def preset_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", PRESETS, ids=preset_name)
def test_a_preset_is_accepted_and_its_feed_is_protected(path: Path) -> None:
    config = load_config(path)
    check_protection(config.feed)
    assert path.stem == "default" or config != Config()


def test_the_default_preset_is_what_print_config_prints() -> None:
    path = next(path for path in PRESETS if path.stem == "default")
    expected = to_toml(Config()) + "\n"
    assert path.read_text() == expected, "python run_stream.py --print-config > configs/stream/default.toml"
