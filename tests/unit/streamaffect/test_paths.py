from pathlib import Path

import pytest

from streamaffect.config import load_config
from streamaffect.errors import BundleError, ConfigError
from streamaffect.paths import from_home
from streamaffect.runtime.bundle import load_bundle


def test_a_tilde_is_the_home_of_the_user_and_a_home_of_nobody_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_home("~/x") == tmp_path / "x"
    assert from_home(Path("~nobody-of-this-name/x")) == Path("~nobody-of-this-name/x")
    assert from_home("~no\0body/x") == Path("~no\0body/x")
    assert from_home("a~/x") == Path("a~/x")


def test_settings_and_bundles_are_found_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.toml").write_bytes(b"\xef\xbb\xbf[tracker]\nmax_faces = 3\n")  # with a byte order mark
    assert load_config(Path("~/run.toml")).tracker.max_faces == 3
    with pytest.raises(BundleError, match=str(tmp_path / "bundle")):
        load_bundle("~/bundle")
    with pytest.raises(ConfigError, match=r"~/other.toml: cannot be read \(No such file"):
        load_config(Path("~/other.toml"))
