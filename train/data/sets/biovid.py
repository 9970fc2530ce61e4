"""BioVid clips as PKDOT's recipe reads them: frames of a face and the muscle current of the same seconds.

<root>/fold_<1..5>_{train,test}.txt      <class>/<clip> <start frame> <end frame> <label>     one line per clip
<root>/<class>/<clip>/img_00001.jpg …    frames, numbered from 1
<root>/physio/<class>/<clip>_bio.csv     tab-separated: time (microseconds), emg_corrugator, …
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ...errors import DataError

FRAMES = 10
START_S, END_S = 2.0, 5.0  # of the trial, the part whose muscle current is used
WINDOW, STEP, FFT = 16, 12, 128


@dataclass(frozen=True, slots=True)
class BioVidClip:
    """One trial: its folder of frames, the numbers of the first and last frame, its physiology and its label.

    subject: the first part of the clip's name
    """

    folder: Path
    start: int
    end: int
    physiology: Path
    label: int
    subject: str

    def frames(self, generator: torch.Generator | None = None, *, count: int = FRAMES) -> list[Path]:
        """One frame of each of `count` equal segments: a random one with a generator, else the one in the middle."""
        length = (self.end - self.start + 1) / count
        within = torch.full((count,), 0.5) if generator is None else torch.rand(count, generator=generator)
        numbers = [self.start + int((segment + place) * length) for segment, place in enumerate(within.tolist())]
        return [self.folder / f"img_{min(number, self.end):05d}.jpg" for number in numbers]


def load_fold(root: Path, fold: int, part: Literal["train", "test"]) -> list[BioVidClip]:
    """The clips of one part of a fold, in the order of the file.

    The published folds divide clips, not people: the same face is in both parts. Divide by `subject` to know how a
    person who was never seen is judged.

    Raises DataError if the file or the folder of a clip is missing, or a line is not as described.
    """
    path = root / f"fold_{fold}_{part}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return [_clip(root, line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def muscle_current(path: Path) -> Tensor:
    """The corrugator's current from `START_S` to `END_S`: (n,) float32, in the file's unit.

    Raises DataError if the file is missing or has not the two columns, or no sample of that time.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                (float(row["time"]) / 1e6, float(row["emg_corrugator"])) for row in csv.DictReader(file, delimiter="\t")
            ]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: expected numbers in the columns 'time' and 'emg_corrugator' ({error})") from error
    samples = [current for time_s, current in rows if START_S <= time_s < END_S]
    if len(samples) < WINDOW:
        raise DataError(f"{path}: has {len(samples)} samples from {START_S:g} to {END_S:g} s, needs {WINDOW} or more")
    return torch.tensor(samples)


def spectrogram(samples: Tensor) -> Tensor:
    """Power by frequency and time: (n,) → (65, (n - 16) // 12 + 1). At 512 Hz three seconds give 127 columns."""
    windows = samples.unfold(0, WINDOW, STEP)
    centred = windows - windows.mean(dim=1, keepdim=True)
    spectrum = torch.fft.rfft(centred * torch.hann_window(WINDOW, dtype=samples.dtype), FFT)
    power: Tensor = spectrum.real.square() + spectrum.imag.square()
    return power.T


def _clip(root: Path, line: str, where: str) -> BioVidClip:
    try:
        name, start, end, label = line.split()
        first, last, number = int(start), int(end), int(label)
        folder_class, clip = name.split("/")
    except ValueError as error:
        raise DataError(f"{where}: expected '<class>/<clip> <start> <end> <label>', found '{line}'") from error
    folder = root / folder_class / clip
    if not folder.is_dir() or not 1 <= first <= last:
        raise DataError(f"{where}: needs the folder {folder} and 1 <= start <= end, found {first} and {last}")
    return BioVidClip(
        folder, first, last, root / "physio" / folder_class / f"{clip}_bio.csv", number, clip.partition("_")[0]
    )
