"""Data of the methods that see and hear, as trees that the tests write, and short runs of their shipped recipes."""

import fcntl
import json
import math
import os
import shutil
import wave
from collections.abc import Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from streamaffect import Estimate, analyze
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.faces import demo_frames
from tests.support.training.other_device import other_device
from train.cli import main

CONFIGS = Path(__file__).parents[3] / "configs" / "train"
RATE_HZ = 8000
SHORT = MappingProxyType(
    {
        "epochs = 150": "epochs = 1",
        "epochs = 20": "epochs = 1",
        "epochs = 10": "epochs = 1",
        "epochs = 8": "epochs = 1",
        "epochs = 5\n": "epochs = 1\n",
        "dim = 512": "dim = 16",
        "widths = [64, 128, 256, 512]": "widths = [4, 8]",
        "depths = [2, 2, 2, 2]": "depths = [1, 1]",
    }
)


def run(verb: str, recipe: Path, folder: Path, *more: str) -> dict[str, float]:
    """The report of a verb of `python -m train`."""
    assert main([verb, "--config", str(recipe), "--run", str(folder), *more]) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


class Finished(NamedTuple):
    report: dict[str, float]
    folder: Path
    bundle: Bundle


def finish(recipe: Path, folder: Path) -> Finished:
    """A run from start to end."""
    return Finished(run("fit", recipe, folder), folder, load_bundle(folder / "bundle"))


def finish_once(recipe: Path, folders: pytest.TempPathFactory) -> Finished:
    """The same, made once for all processes of the tests; each of them works with a copy of its own."""
    own = folders.mktemp(recipe.parent.name) / "run"
    base = folders.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = common / f"{recipe.parent.name}_{recipe.stem}"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with other_device():
                run("fit", recipe, own)
            shutil.copytree(own, made)
        else:
            shutil.copytree(made, own)
    return Finished(json.loads((own / "report.json").read_text()), own, load_bundle(own / "bundle"))


def check_evaluate(finished: Finished, recipe: Path) -> None:
    """The same report, and no weight is touched."""
    weights = {file: file.stat().st_mtime_ns for file in finished.folder.rglob("*.safetensors")}
    assert run("evaluate", recipe, finished.folder) == finished.report
    assert {file: file.stat().st_mtime_ns for file in finished.folder.rglob("*.safetensors")} == weights


def streamed(bundle: Bundle) -> list[Estimate]:
    """What the stream publishes of the first faces of the demo clip, with valence and arousal in their range."""
    estimates = [one for one in islice(analyze(DEMO_CLIP, bundle=bundle.path), 30) if one.coverage > 0]
    assert estimates
    for estimate in estimates:
        assert estimate.valence is not None and -1 <= estimate.valence <= 1
        assert estimate.arousal is not None and -1 <= estimate.arousal <= 1
        assert estimate.model == bundle.manifest.label
    return estimates


def changed(recipe: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """A shipped recipe, "<method>/<name>.toml", with other words in it, below `folder`."""
    text = (CONFIGS / recipe).read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text)
    return path


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
    root.mkdir()
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
