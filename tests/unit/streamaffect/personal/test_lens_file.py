import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamaffect.errors import LensError
from streamaffect.lenses.view import View
from streamaffect.personal.lens import PersonalLens
from streamaffect.personal.lens_file import (
    PERSONAL,
    PersonalFile,
    check_target,
    delete_personal,
    read_personal,
    write_personal,
)
from streamaffect.personal.words import personal_of
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


def file_of(bundle: Bundle, shift: float = 0.0) -> PersonalFile:
    calibration = bundle.manifest.heads[0].calibration
    assert calibration is not None
    return PersonalFile(
        created="2026-11-27T00:00:00+00:00",
        bundle=bundle.manifest.label,
        bundle_sha256=bundle.sha256,
        crops=100,
        seconds=8.0,
        confident=50,
        shift=[shift] * bundle.clip_dim,
        moved=0.1,
        quantiles=dict(calibration.quantiles),
        change={"valence": 0.0, "arousal": 0.0},
    )


def test_it_comes_back_as_it_was_and_only_its_owner_can_read_it(tmp_path: Path, bundle: Bundle) -> None:
    path = write_personal(file_of(bundle), tmp_path / "me")
    assert read_personal(tmp_path / "me", bundle) == file_of(bundle)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    write_personal(file_of(bundle, 0.5), tmp_path / "me")  # learned again
    assert read_personal(tmp_path / "me", bundle).shift[0] == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bundle_sha256": "0" * 64}, "was learned with the bundle"),
        ({"shift": [0.0] * 3}, "shift has 3 numbers"),
        ({"schema": 2}, "schema is 2, this version reads 1"),
        ({"shift": None}, "is no personal lens"),
    ],
)
def test_one_that_does_not_fit_is_refused(
    tmp_path: Path, bundle: Bundle, change: dict[str, object], words: str
) -> None:
    write_personal(file_of(bundle), tmp_path)
    raw = msgspec.json.decode((tmp_path / PERSONAL).read_bytes()) | change
    (tmp_path / PERSONAL).write_bytes(msgspec.json.encode(raw))
    with pytest.raises(LensError, match=words):
        read_personal(tmp_path, bundle)


def test_a_folder_with_anything_else_is_neither_written_to_nor_deleted(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(LensError, match=r"holds photo\.jpg"):
        check_target(tmp_path)
    write_personal(file_of(bundle), tmp_path)
    with pytest.raises(LensError, match=r"holds photo\.jpg"):
        delete_personal(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [PERSONAL, "photo.jpg"]


def test_deleting_leaves_nothing(tmp_path: Path, bundle: Bundle) -> None:
    write_personal(file_of(bundle), tmp_path / "me")
    delete_personal(tmp_path / "me")
    assert not (tmp_path / "me").exists()


def test_the_words_that_mean_one(tmp_path: Path, bundle: Bundle) -> None:
    write_personal(file_of(bundle), tmp_path / "me")
    found, others = personal_of(["units", f"me={tmp_path / 'me'}", f"mine={tmp_path}"], bundle)
    assert [lens.meta.name for lens in found] == ["me"]
    assert others == ["units", f"mine={tmp_path}"]
    with pytest.raises(LensError, match="'affect' cannot be its name"):
        personal_of([f"affect={tmp_path / 'me'}"], bundle)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_it_says_what_the_bundles_heads_say_of_moved_clips(tmp_path: Path, bundle: Bundle, shift: float) -> None:
    write_personal(file_of(bundle, shift), tmp_path)
    lens = PersonalLens(tmp_path, "me", bundle)
    random = np.random.default_rng(0)
    context = random.normal(size=(3, bundle.manifest.context.clips, bundle.clip_dim)).astype(np.float32)
    valid = np.ones(context.shape[:2], bool)
    past = bundle.manifest.context.past
    moved = context + np.float32(shift)
    expected = OnnxRuntimeEngine(bundle).run_heads(np.ascontiguousarray(moved[:, past]), moved, valid)["affect"]
    views = [View(("cam", i), 0.0, {"context": context[i], "valid": valid[i]}) for i in range(3)]
    for reading, row in zip(lens.look(views), expected, strict=True):
        assert reading is not None
        assert list(reading.values.values()) == pytest.approx(row.clip(-1, 1).tolist(), abs=1e-6)
        low, high = reading.intervals["valence"]
        assert low <= reading.values["valence"] <= high
