"""Faces with landmarks: drawn ones, the published fold files, and the points of MediaPipe's mesh."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from train.data.drawn_faces import EXPRESSIONS
from train.errors import DataError
from train.methods.au_guided.data import drawn_faces, load_landmark_faces
from train.methods.au_guided.ibug68 import MESH_POINTS, from_face_mesh
from train.methods.au_guided.model import SpatialClassifier
from train.methods.au_guided.recipe import AuGuidedRecipe
from train.methods.registry import load_recipe

SIDE = 40
CONFIGS = Path(__file__).parents[3] / "configs" / "train"


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Two pictures in the published layout: a happy one, and an angry one whose face was not found."""
    folds = tmp_path / "folds" / "MINE"
    (folds / "train").mkdir(parents=True)
    (tmp_path / "faces").mkdir()
    for number in (0, 1):
        cv2.imwrite(str(tmp_path / "faces" / f"{number}.png"), np.full((SIDE, SIDE), 90 * number, np.uint8))
    x = ",".join(str(10 + point % 20) for point in range(68))
    y = ",".join(str(20 + point % 10) for point in range(68))
    missing = ",".join(["inf"] * 136)
    (folds / "train" / "class_labels.txt").write_text("faces/0.png,0\nfaces/1.png,1\n")
    (folds / "train" / "landmarks.txt").write_text(f"faces/1.png,{missing}\nfaces/0.png,{x},{y}\n")
    (folds / "class_id.yaml").write_text("{Happiness: 0, Anger: 1}\n")
    return tmp_path


def test_the_published_fold_files_are_read(data_set: Path) -> None:
    faces = load_landmark_faces(data_set, data_set / "folds" / "MINE", "train", 20)
    assert [EXPRESSIONS[label] for label in faces.labels.tolist()] == ["Happiness", "Anger"]
    assert faces.pictures.shape == (2, 20, 20)
    assert faces.pictures[:, 0, 0].tolist() == [0, 90]
    assert faces.regions.isfinite().flatten(1).all(dim=1).tolist() == [True, False]


def test_one_class_a_line_is_read_too(data_set: Path) -> None:
    folds = data_set / "folds" / "MINE"
    (folds / "class_id.yaml").write_text("Anger: 0\nHappiness: 1\n")
    faces = load_landmark_faces(data_set, folds, "train", 20)
    assert [EXPRESSIONS[label] for label in faces.labels.tolist()] == ["Anger", "Happiness"]


@pytest.mark.parametrize(
    ("recipe", "parts"), [("au_guided/rafdb", ("train", "test")), ("au_guided/affectnet", ("train", "val"))]
)
def test_the_recipes_find_their_data_sets_folds(data_set: Path, recipe: str, parts: tuple[str, str]) -> None:
    loaded = load_recipe(CONFIGS / f"{recipe}.toml").recipe
    assert isinstance(loaded, AuGuidedRecipe)
    folds = data_set / "folds"
    (folds / "MINE").rename(folds / loaded.data_set)
    shutil.copytree(folds / loaded.data_set / "train", folds / loaded.data_set / parts[1])
    assert (loaded.train, loaded.valid) == parts
    for part in parts:
        assert len(load_landmark_faces(data_set, folds / loaded.data_set, part, 20)) == 2


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train/class_labels.txt", "faces/2.png,0\n", r"faces/2\.png needs a picture"),
        ("train/class_labels.txt", "faces/0.png,7\n", "found label 7"),
        ("train/class_labels.txt", "", "names no picture"),
        ("train/landmarks.txt", "faces/0.png,1,2\n", "136 coordinates"),
        ("class_id.yaml", "Contempt: 0\n", "no action units are known for Contempt"),
        ("class_id.yaml", "Anger\n", "expected lines of the form Surprise: 0"),
    ],
)
def test_damaged_fold_files_are_named(data_set: Path, file: str, text: str, message: str) -> None:
    folds = data_set / "folds" / "MINE"
    (folds / file).write_text(text)
    with pytest.raises(DataError, match=message):
        load_landmark_faces(data_set, folds, "train", 20)


def test_a_missing_fold_is_named(data_set: Path) -> None:
    with pytest.raises(DataError, match=r"landmarks\.txt: cannot be read"):
        load_landmark_faces(data_set, data_set / "folds" / "MINE", "test", 20)


def test_drawn_faces_depend_on_the_seed_alone_and_only_neutral_ones_have_no_region() -> None:
    first, again, other = (drawn_faces(30, 32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.pictures, again.pictures)
    assert not torch.equal(first.pictures, other.pictures)
    usable = first.regions.isfinite().flatten(1).all(dim=1)
    assert torch.equal(usable, first.labels != EXPRESSIONS.index("Neutral"))


def test_every_landmark_has_a_point_of_its_own_in_the_mesh() -> None:
    assert len(set(MESH_POINTS[:60])) == 60
    assert len(MESH_POINTS) == 68
    mesh = np.arange(478.0)[:, None] * np.array([1.0, 2.0, 0.0])
    assert from_face_mesh(mesh)[8].tolist() == [152, 304]
    with pytest.raises(ValueError, match="468 points"):
        from_face_mesh(mesh[:68])


def test_the_mean_of_the_predicted_classs_map_is_its_logit_without_bias() -> None:
    model = SpatialClassifier(7, widths=(4, 6), depths=(1, 1)).eval()
    logits, features = model(drawn_faces(5, 32, seed=0).pictures)
    classes = logits.argmax(dim=1)
    maps = model.activation_maps(features, classes)
    assert maps.shape == (5, 1, 8, 8)
    expected = logits[torch.arange(5), classes] - model.classify.bias[classes]
    torch.testing.assert_close(maps.mean(dim=(1, 2, 3)), expected)
