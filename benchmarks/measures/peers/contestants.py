"""Who is compared: how each is installed, and the command that reads the video with it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.measures.peers.installing import LOG, make_npm_project, make_venv, run
from benchmarks.measures.report import ROOT
from streamaffect.faces.detectors.weights import SHORT_RANGE_PATH

PARTS = "benchmarks.measures.peers"
HUMAN = ("@vladmandic/human@3.3.6", "@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0")
FFMPEG = "@ffmpeg-installer/ffmpeg@1.1.0"
# FER's own list without facenet-pytorch, which only its option mtcnn=True needs, and with what it imports unsaid.
FER = (
    "tensorflow-cpu<2.22; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "tensorflow<2.22; sys_platform != 'linux' or platform_machine != 'x86_64'",
    "opencv-contrib-python",
    "matplotlib",
    "pandas",
    "requests",
    "tqdm>=4.62.1",
    "moviepy<2",
    "ffmpeg-python",
    "Pillow",
    "setuptools<81",
)


@dataclass(frozen=True, slots=True)
class Video:
    """A file and what a program needs that does not look itself."""

    path: Path
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, and in which folder."""

    words: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """One that is compared with.

    how:  what runs, for the table
    goal: so many times as fast are we to be, or None
    prepare: (its folder, the video) → the command; installs what is needed. Raises NotInstalledError
    """

    name: str
    how: str
    goal: float | None
    prepare: Callable[[Path, Video], Command]


def ours(video: Video, *settings: str) -> Command:
    """streamaffect, in the environment that runs the benchmark."""
    return Command((sys.executable, "-m", f"{PARTS}.ours", str(video.path), *settings), ROOT)


def _human(folder: Path, video: Video) -> Command:
    node = make_npm_project(folder, (*HUMAN, FFMPEG))
    numbers = (str(video.width), str(video.height), str(video.fps))
    return Command((str(node), str(Path(__file__).with_name("human.mjs")), str(video.path), *numbers), folder)


def _fer(folder: Path, video: Video) -> Command:
    python = make_venv(folder, FER, ("--no-deps", "fer==25.10.3"))
    return Command((str(python), "-m", f"{PARTS}.fer_video", str(video.path)), ROOT)


def _by_hand(folder: Path, video: Video) -> Command:
    """With the very versions that streamaffect runs on here."""
    same = [f"{name}=={version(name)}" for name in ("numpy", "opencv-python-headless", "mediapipe", "onnxruntime")]
    python = make_venv(folder, [*same, "onnx"])
    classifier = folder / "classifier.onnx"
    run([str(python), "-m", f"{PARTS}.classifier", str(classifier)], folder / LOG, folder=ROOT)
    words = (str(python), "-m", f"{PARTS}.by_hand", str(video.path), str(SHORT_RANGE_PATH), str(classifier))
    return Command(words, ROOT)


def _every_frame(_: Path, video: Video) -> Command:
    return ours(video, "faces.every=1")


PEERS: Sequence[Peer] = (
    Peer(
        "human", "@vladmandic/human in Node.js, WebAssembly; face and emotion of each frame, nothing else", 10.0, _human
    ),
    Peer("fer", "FER().detect_emotions(frame), Haar cascade and TensorFlow Lite, as it comes", 10.0, _fer),
    Peer(
        "by-hand", "cv2.VideoCapture, MediaPipe in IMAGE mode, a network of EfficientNet-B0's size, fp32", 5.0, _by_hand
    ),
    Peer("ours-every-frame", "the detector in every frame, --set faces.every=1", None, _every_frame),
)
