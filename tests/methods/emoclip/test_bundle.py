"""From the folder of a data set and a CLIP to a bundle whose classes are sentences, which the stream runs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamaffect import analyze
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.tiny_clip import save_tiny_clip
from train.methods.command import load_method_recipe, main
from train.methods.emoclip import command as emoclip
from train.methods.emoclip.bundle import SENTENCES, ZERO_SHOT_HEAD, ClassSentences, export_emoclip
from train.methods.emoclip.clip_towers import ClipTowers, open_clip
from train.methods.emoclip.data.features import embed_classes
from train.methods.emoclip.model import TemporalTransformer, zero_shot
from train.methods.emoclip.recipe import EmoClipRecipe
from train.methods.stochastic_softmax.data import drawn_videos

pytest.importorskip("transformers")
CLASSES = {"happiness": ["a smile"], "neutral": ["a calm face"], "both": ["a smile", "a calm face"]}
DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"
RECIPE = """
method = "emoclip"
name = "mine"
seed = 1
data = "{data}"
clip = "{clip}"
dim = 8
prompts = "prompts.toml"
stride = 2
window = 3
depth = 1
heads = 2
head_dim = 4
mlp_dim = 8
{more}
[optimiser]
epochs = 1
batch = 4
lr = 0.001
"""
PROMPTS = "".join(
    f'{name} = "a face that shows {name}"\n'
    for name in (
        "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
        "helplessness", "disappointment",
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_tiny_clip(folder)
    return folder


@pytest.fixture(scope="module")
def towers(clip_folder: Path) -> ClipTowers:
    return open_clip(clip_folder)


@pytest.fixture(scope="module")
def temporal(towers: ClipTowers) -> TemporalTransformer:
    torch.manual_seed(0)
    return TemporalTransformer(towers.dim, depth=1, heads=2, head_dim=4, mlp_dim=8, positions=8).eval()


@pytest.fixture(scope="module")
def bundle(towers: ClipTowers, temporal: TemporalTransformer, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("emoclip")
    recipe = folder / "mine.toml"
    recipe.write_text(RECIPE.format(data="drawn", clip="drawn", more="").replace("window = 3", "window = 4"))
    loaded = load_method_recipe(recipe)
    assert isinstance(loaded, EmoClipRecipe)
    classes = ClassSentences(CLASSES, embed_classes(towers, CLASSES))
    export_emoclip(
        towers, temporal, towers.logit_scale, classes, recipe=loaded, metrics={"war": 0.5}, target=folder / "bundle"
    )
    return load_bundle(folder / "bundle")


def probabilities(bundle: Bundle, towers: ClipTowers) -> np.ndarray:
    engine = OnnxRuntimeEngine(bundle)
    clip = engine.encode_clips(engine.encode_frames(crops(towers)).reshape(3, 4, -1))
    return np.asarray(engine.run_heads(clip, clip[:, None], np.ones((3, 1), bool))[ZERO_SHOT_HEAD])


def crops(towers: ClipTowers) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, towers.side, towers.side, 3), dtype=np.uint8)


def expected(towers: ClipTowers, temporal: TemporalTransformer, sentences: dict[str, list[str]]) -> np.ndarray:
    with torch.no_grad():
        video = temporal(towers(torch.from_numpy(crops(towers))).unflatten(0, (3, 4)))
        return zero_shot(video, embed_classes(towers, sentences), towers.logit_scale).numpy()


def test_the_bundle_classifies_a_clip_as_torch_does(
    bundle: Bundle, towers: ClipTowers, temporal: TemporalTransformer
) -> None:
    np.testing.assert_allclose(probabilities(bundle, towers), expected(towers, temporal, CLASSES), atol=1e-4)


def test_the_stream_publishes_the_classes(bundle: Bundle) -> None:
    estimates = list(analyze(DEMO, bundle=bundle.path, engine="onnxruntime"))
    seen = [estimate.outputs[ZERO_SHOT_HEAD] for estimate in estimates if estimate.outputs]
    assert len(seen) > 10
    for shares in seen:
        assert list(shares) == list(CLASSES)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)


def test_sentences_and_their_embeddings_are_shipped_together(bundle: Bundle, towers: ClipTowers) -> None:
    with np.load(bundle.path / SENTENCES) as packed:
        assert packed["names"].tolist() == list(CLASSES)
        assert packed["sentences"].tolist() == ["a smile", "a calm face", "a smile | a calm face"]
        np.testing.assert_allclose(np.linalg.norm(packed["embeddings"], axis=1), 1, atol=1e-6)
        assert float(packed["scale"]) == pytest.approx(float(towers.logit_scale.exp()))


def test_the_manifest_declares_classes_and_an_embedding(bundle: Bundle) -> None:
    assert [(head.kind, len(head.outputs)) for head in bundle.manifest.heads] == [
        ("classification", 3),
        ("embedding", 8),
    ]
    assert (bundle.manifest.clip.frames, bundle.manifest.clip.period_s) == (4, 0.08)


def test_other_sentences_become_other_classes_without_training(
    bundle: Bundle, towers: ClipTowers, temporal: TemporalTransformer, clip_folder: Path, tmp_path: Path
) -> None:
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('smiling = "smile smile"\ncalm = "a calm face"\n')
    words = [
        "prompts",
        "--bundle",
        bundle.path,
        "--clip",
        clip_folder,
        "--prompts",
        prompts,
        "--output",
        tmp_path / "b",
    ]
    assert emoclip.main([str(word) for word in words]) == 0
    changed = load_bundle(tmp_path / "b")
    sentences = {"smiling": ["smile smile"], "calm": ["a calm face"]}
    np.testing.assert_allclose(probabilities(changed, towers), expected(towers, temporal, sentences), atol=1e-4)
    assert [head.kind for head in changed.manifest.heads] == ["classification", "embedding"]
    assert changed.manifest.metrics == {}
    assert bundle.manifest.metrics == {"war": 0.5}


def test_sentences_of_another_clip_and_bundles_without_any_are_refused(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('calm = "a calm face"\n')
    default = Path(__file__).parents[3] / "engines" / "default"
    for path, message in ((bundle.path, "another CLIP"), (default, "holds no sentences.npz")):
        assert emoclip.main(["prompts", "--bundle", str(path), "--clip", "drawn", "--prompts", str(prompts)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error


def write_mafw(root: Path) -> None:
    """Six videos of drawn faces in the official layout; the last one of each list has no frames."""
    rows = {"train": ["anger", "fear", "neutral", "sadness"], "test": ["fear", "anger", "surprise"]}
    for split, emotions in rows.items():
        file = root / "Train_Test_Set" / "single" / "with_caption_new" / "set_1" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{split}{number}.mp4\t{emotion}\t面\ta calm face" for number, emotion in enumerate(emotions)]
        file.write_text("\n".join(lines) + "\n", encoding="gbk")
        for number, video in enumerate(
            drawn_videos(len(emotions) - 1, 20, 4 + 2 * (split == "test"), apex=0.5, seed=1)
        ):
            folder = root / "data" / "faces" / f"{split}{number}"
            folder.mkdir(parents=True)
            for frame, picture in enumerate(video.frames):
                cv2.imwrite(str(folder / f"{frame:04d}.png"), picture)


@pytest.mark.slow
def test_mafws_folder_and_a_clip_become_a_bundle_with_one_command(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mafw(tmp_path / "MAFW")
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE.format(data="mafw", clip=clip_folder, more="views = 1"))
    (tmp_path / "prompts.toml").write_text(PROMPTS)
    words = ["--config", str(recipe), "--data", str(tmp_path / "MAFW"), "--run", str(tmp_path / "run")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "1 of 4 videos are left out" in told
    assert "1 of 3 videos are left out" in told
    found = load_bundle(tmp_path / "run" / "bundle").manifest
    assert [output.name for output in found.heads[0].outputs] == [line.split()[0] for line in PROMPTS.splitlines()]
    dfew = recipe.with_name("dfew.toml")
    dfew.write_text(recipe.read_text().replace('"mafw"', '"dfew"'))
    (tmp_path / "MAFW" / "DFEW_set_1_train.txt").write_text("test0 3 0\n")
    (tmp_path / "MAFW" / "DFEW_set_1_test.txt").write_text("test0 3 0\ntest1 3 6\n")
    (tmp_path / "MAFW" / "data" / "faces").rename(tmp_path / "MAFW" / "DFEW_Frame_Face")
    words = ["score", "--config", str(dfew), "--run", str(tmp_path / "run"), "--data", str(tmp_path / "MAFW")]
    assert emoclip.main(words) == 0
    assert '"war"' in capsys.readouterr().out


@pytest.mark.slow
def test_video_files_are_cut_by_the_streams_own_detector(clip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "demo.mp4").write_bytes(DEMO.read_bytes())
    rows = "path,split,label,caption\nclips/demo.mp4,train,anger_fear,a calm face\nclips/demo.mp4,test,joy,\n"
    (tmp_path / "described.csv").write_text(rows)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE.format(data="table", clip=clip_folder, more="longest = 5"))
    (tmp_path / "prompts.toml").write_text(PROMPTS + 'joy = "a smile"\n')
    assert main(["--config", str(recipe), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    manifest = load_bundle(tmp_path / "run" / "bundle").manifest
    assert [output.name for output in manifest.heads[0].outputs] == ["anger_fear", "joy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('clip = "CLIP"', 'clip = "no/such-clip"'), "holds no CLIP model"),
        (('clip = "CLIP"', ""), "`clip` must name the CLIP model"),
        (("dim = 8", "dim = 9"), "set it so"),
        (("seed = 1", 'seed = 1\nleave_out = "joy"'), "has no class 'joy'"),
        (('prompts = "prompts.toml"', ""), "no sentence for anger"),
        (("fold = 1", "fold = 2"), "cannot be read"),
        (("fold = 1", "fold = 9"), "<= 5"),
    ],
)
def test_a_recipe_that_does_not_fit_ends_with_one_line(
    clip_folder: Path, tmp_path: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mafw(tmp_path)
    (tmp_path / "prompts.toml").write_text(PROMPTS)
    recipe = tmp_path / "mine.toml"
    text = RECIPE.format(data="mafw", clip="CLIP", more="fold = 1").replace(*change)
    recipe.write_text(text.replace('"CLIP"', f'"{clip_folder}"'))
    assert main(["--config", str(recipe), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
