"""JMT and PKDOT from the folders of their data sets, and from one's own clips, on tiny trees that the tests write."""

import json
import math
import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.runtime.bundle import load_bundle
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.faces import demo_frames
from train.methods.command import main

CONFIGS = Path(__file__).parents[2] / "configs" / "train"
RATE_HZ = 8000
SMALL = {
    "epochs = 150": "epochs = 1",
    "epochs = 20": "epochs = 1",
    "epochs = 10": "epochs = 1",
    "epochs = 5\n": "epochs = 1\n",
    "dim = 512": "dim = 16",
    "widths = [64, 128, 256, 512]": "widths = [4, 8]",
    "depths = [2, 2, 2, 2]": "depths = [1, 1]",
}


def train(recipe: str, data: Path, folder: Path) -> dict[str, float]:
    """One epoch of a small version of a shipped recipe."""
    text = (CONFIGS / recipe).read_text()
    for old, new in SMALL.items():
        text = text.replace(old, new)
    path = folder / recipe
    path.write_text(text)
    assert main(["--config", str(path), "--data", str(data), "--run", str(folder / "run")]) == 0
    report: dict[str, float] = json.loads((folder / "run" / "report.json").read_text())
    return report


def faces(folder: Path, count: int, name: str, first: int) -> None:
    folder.mkdir(parents=True)
    picture = cv2.resize(demo_frames(1)[0][40:296, 190:446], (32, 32))
    for number in range(count):
        cv2.imwrite(str(folder / name.format(first + number)), np.clip(picture + 0.1 * number, 0, 255).astype(np.uint8))


def tone(path: Path, seconds: float, frequency_hz: float) -> None:
    samples = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes((samples * 32767).astype(np.int16).tobytes())


def aff_wild2(root: Path) -> Path:
    for part, video in (("Train_Set", "a"), ("Val_Set", "b")):
        faces(root / "cropped_aligned" / video, 512, "{:05d}.jpg", 0)
        annotations = root / "VA_annotations" / part
        annotations.mkdir(parents=True)
        rows = [f"{video}/{i:05d}.jpg,{math.sin(i / 80):.4f},{math.cos(i / 80):.4f},{i}" for i in range(512)]
        (annotations / f"{video}.csv").write_text("\n".join(["img,V,A,frame_id", *rows]))
        (root / "audio_extracted" / video).mkdir(parents=True)
        for end in range(31, 511, 32):  # the last step of each window has no sound
            tone(root / "audio_extracted" / video / f"{end}.wav", 1.1, 300 + end)
    return root


def biovid(root: Path) -> Path:
    for part in ("train", "test"):
        lines = []
        for number in range(4):
            label, clip = number % 2, f"0713{number:02d}_{part}-{'BL1' if number % 2 == 0 else 'PA4'}-001"
            folder = "04"[label]
            faces(root / folder / clip, 20, "img_{:05d}.jpg", 1)
            current = root / "physio" / folder / f"{clip}_bio.csv"
            current.parent.mkdir(parents=True, exist_ok=True)
            times = np.arange(6 * 512) / 512
            rows = [f"{t * 1e6:.0f}\t{math.sin(2 * math.pi * (40 + 60 * label) * t):.5f}" for t in times.tolist()]
            current.write_text("\n".join(["time\temg_corrugator", *rows]))
            lines.append(f"{folder}/{clip} 1 20 {label}")
        (root / f"fold_1_{part}.txt").write_text("\n".join(lines))
    return root


def own_clips(root: Path) -> Path:
    """The first two seconds of the demo clip, twice, with a tone beside them."""
    av = pytest.importorskip("av")
    for name in ("a.mkv", "b.mkv"):
        with av.open(str(DEMO_CLIP)) as demo, av.open(str(root / name), "w") as clip:
            source = demo.streams.video[0]
            pictures = clip.add_stream_from_template(source)
            sound = clip.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
            for packet in demo.demux(source):
                if packet.pts is not None and float(packet.pts * packet.time_base) < 2:
                    packet.stream = pictures
                    clip.mux(packet)
            samples = 9000 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ)
            frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            clip.mux(sound.encode(frame))
            clip.mux(sound.encode(None))
    rows = [
        "path,start_s,end_s,subject,split,valence,arousal",
        "a.mkv,0,1,anna,train,0.5,0.2",
        "a.mkv,1,2,anna,train,-0.5,0.4",
        "b.mkv,0,1,bert,valid,0.5,0.2",
        "b.mkv,1,2,bert,valid,-0.5,0.4",
    ]
    (root / "clips.csv").write_text("\n".join(rows))
    return root


@pytest.mark.slow
def test_jmt_is_trained_from_aff_wild2s_folders(tmp_path: Path) -> None:
    report = train("jmt_affwild2.toml", aff_wild2(tmp_path / "data"), tmp_path)
    assert report["ccc_mean"] == pytest.approx((report["ccc_valence"] + report["ccc_arousal"]) / 2)
    assert -1 <= report["ccc_arousal_without_sound"] <= 1
    manifest = load_bundle(tmp_path / "run" / "bundle").manifest
    assert manifest.context.past == 15
    assert manifest.clip.length_s == pytest.approx(32 / 30)
    assert manifest.sound is not None and manifest.sound.rate_hz == 44100


@pytest.mark.slow
def test_pkdot_is_trained_from_biovids_folders(tmp_path: Path) -> None:
    report = train("pkdot_biovid.toml", biovid(tmp_path / "data"), tmp_path)
    assert {"teacher_accuracy", "student_accuracy", "student_without_structure_accuracy"} <= set(report)
    (head,) = load_bundle(tmp_path / "run" / "bundle").manifest.heads
    assert [output.name for output in head.outputs] == ["no_pain", "pain"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "score"), [("jmt_clips.toml", "ccc_valence"), ("pkdot_clips.toml", "student_ccc_valence")]
)
def test_both_are_trained_from_ones_own_clips_with_their_sound(recipe: str, score: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    report = train(recipe, own_clips(tmp_path / "data"), tmp_path)
    assert -1 <= report[score] <= 1
    assert load_bundle(tmp_path / "run" / "bundle").manifest.label.startswith(recipe.partition("_")[0])


def test_a_recipe_without_its_backbones_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for recipe, old, new, message in (
        ("jmt_clips.toml", 'bundle = "default"\n', "", "needs `bundle`"),
        ("pkdot_biovid.toml", 'task = "classes"', 'task = "affect"', "has labels for the task 'classes'"),
        ("pkdot_clips.toml", "seed = 1", "seed = 1", "needs --data"),
    ):
        path = tmp_path / recipe
        path.write_text((CONFIGS / recipe).read_text().replace(old, new))
        assert main(["--config", str(path), "--run", str(tmp_path / "run")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error
