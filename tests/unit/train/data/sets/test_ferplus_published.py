"""FER2013 and FER+ as they are published become what the default recipe reads."""

from pathlib import Path

import numpy as np
import pytest

from train.data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from train.data.sets.ferplus_published import PIXELS, VOTES, pack_published
from train.errors import DataError

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
HAPPY, MIXED, NO_FACE = "1,9,0,0,0,0,0,0,0,0", "4,3,0,0,0,0,0,0,3,0", "0,0,0,0,0,0,0,0,0,10"
ROWS = [
    ("Training", "fer0000000.png", HAPPY),
    ("Training", "", NO_FACE),
    ("Training", "fer0000002.png", MIXED),
    ("PublicTest", "fer0028709.png", HAPPY),
    ("PrivateTest", "fer0032298.png", HAPPY),
]


def picture(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (48, 48)).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ferplus"
    folder.mkdir()
    pixels = [" ".join(map(str, picture(row).ravel().tolist())) for row in range(len(ROWS))]
    lines = [f"3,{text},{usage}" for (usage, _, _), text in zip(ROWS, pixels, strict=True)]
    (folder / PIXELS).write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    (folder / VOTES).write_text("\n".join([HEADER, *(",".join(row) for row in ROWS)]) + "\n")
    return tmp_path


def test_pictures_and_votes_are_packed_without_loss_and_what_is_left_out_is_said(root: Path) -> None:
    told = pack_published(root)
    assert told is not None
    assert told.startswith("3 pictures packed; 1 left out that FER+ removed; 1 left out of PrivateTest; no teacher")
    training, held_out = (load_ferplus(root, split, taught=False) for split in (TRAINING, PUBLIC_TEST))
    assert [kept.tolist() for kept in training.stills.pictures] == [picture(0).tolist(), picture(2).tolist()]
    assert [kept.tolist() for kept in held_out.stills.pictures] == [picture(3).tolist()]
    np.testing.assert_allclose(training.stills.emotions[:, :2], [[0.1, 0.9], [4 / 7, 3 / 7]], atol=1e-6)
    np.testing.assert_allclose(held_out.stills.affect, [[0.9 * 0.81, 0.9 * 0.51]], atol=1e-6)
    assert training.is_clear.tolist() == [True, False]
    assert training.teacher is training.stills


def test_pictures_are_packed_once(root: Path) -> None:
    pack_published(root)
    assert pack_published(root) is None
    assert sorted(file.name for file in (root / "ferplus").iterdir()) == [PIXELS, VOTES, "ferplus_train_valid.npz"]


def test_a_folder_without_the_published_tables_is_left_alone(tmp_path: Path) -> None:
    assert pack_published(tmp_path) is None


def test_a_teacher_that_is_asked_for_and_lacks_is_named_with_the_way_out(root: Path) -> None:
    pack_published(root)
    with pytest.raises(DataError, match=r"teacher\.npz: missing; .*votes alone do with data\.votes_share"):
        load_ferplus(root, TRAINING)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (VOTES, ",NF", ",nf", r"fer2013new\.csv:1: no column 'NF'"),
        (VOTES, "PublicTest", "Training", r"new\.csv:5: Usage is 'Training', but 'PublicTest' in the same row"),
        (VOTES, "1,9,0", "1,many,0", r"new\.csv:2: happiness is 'many', expected a number of votes"),
        (PIXELS, "3,", "3,300 ", r"fer2013\.csv:2: 2305 pixels, expected 2304 numbers"),
        (PIXELS, "PrivateTest\n", "PrivateTest\n3,0,PrivateTest\n", "differ in their number of rows"),
    ],
)
def test_a_table_that_is_not_as_published_is_refused(root: Path, file: str, old: str, new: str, message: str) -> None:
    table = root / "ferplus" / file
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        pack_published(root)
    assert not (root / "ferplus" / "ferplus_train_valid.npz").exists()


def test_the_votes_are_named_where_only_the_pictures_are_there(root: Path) -> None:
    (root / "ferplus" / VOTES).unlink()
    with pytest.raises(DataError, match=r"fer2013new\.csv: missing; FER\+ consists of"):
        pack_published(root)
