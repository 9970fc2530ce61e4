"""Sound beside pictures: how far a beep is from its flash, and what hearing costs.

Flash and beep are written to files of several kinds, and served by an RTSP server that sends its sound late; both are
read as a stream reads them. The cost is CPU time for each second of sound, decoded and mixed to one channel at 16 kHz.

    python -m benchmarks.sound
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measures.report import Row, show, write
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.sources.sound_file import read_sound
from streamaffect.types import SOUND_RATE_HZ, Frame
from tests.support.rtsp_server import SOUND_CLOCK_HZ, RtspServer, Sound
from tests.support.sound.flashes import (
    KeepingEar,
    beep,
    beeps_in,
    flash_picture,
    flashes_in,
    frames_of,
    is_flash,
    write_flashes,
)

FORMS: dict[str, dict[str, Any]] = {
    "mp4, AAC stereo 48 kHz": {"name": "a.mp4"},
    "mkv, Opus stereo 48 kHz": {"name": "a.mkv", "audio": "libopus"},
    "mkv, PCM float 5.1 96 kHz": {"name": "b.mkv", "audio": "pcm_f32le", "rate_hz": 96_000, "layout": "5.1"},
    "mov, PCM mono 8 kHz": {"name": "a.mov", "audio": "pcm_u8", "rate_hz": 8_000, "layout": "mono"},
    "ts, MP2 stereo 48 kHz": {"name": "a.ts", "video": "mpeg2video", "audio": "mp2"},
    "mpg, MP2 stereo 48 kHz": {"name": "a.mpg", "video": "mpeg2video", "audio": "mp2", "form": "mpeg"},
    "avi, MP3 stereo 44.1 kHz": {"name": "a.avi", "audio": "libmp3lame", "rate_hz": 44_100},
}
LATE_S = 0.46
RTSP_S = 12.0
SETTLED_S = 4.0
COST_S = 30.0
EACH_SECOND = tuple(float(second) for second in range(600))


def main(words: Sequence[str] | None = None) -> None:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/sound.json")
    options = parser.parse_args(words)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        rows += [_file(kind, Path(folder), **form) for kind, form in FORMS.items()]
    rows.append(_rtsp(f"RTSP, L16 mono 8 kHz, {LATE_S:g} s late, with sender reports"))
    out = options.out or Path(__file__).parent / "results" / "sound.json"
    print(write("sound", rows, out, packages=("av", "numpy")))
    show("sound beside pictures", rows)


def _file(kind: str, folder: Path, *, name: str, **form: Any) -> Row:
    path = write_flashes(folder / name, **form)
    ear = KeepingEar()
    with make_source(str(path), settings=SourceSettings(), ear=ear) as source:
        frames = frames_of(source)
    offsets_ms = _offsets_ms(frames, ear)
    long = write_flashes(folder / f"long_{name}", seconds=COST_S, sound_s=[(0.0, COST_S)], **form)
    began_s = time.process_time()
    heard = sum(len(piece.samples) for piece in read_sound(long, rate_hz=SOUND_RATE_HZ))
    cost_ms = 1e3 * (time.process_time() - began_s) / (heard / SOUND_RATE_HZ)
    return {"kind": kind, **_spread(offsets_ms), "cpu_ms_per_s": round(cost_ms, 2)}


def _rtsp(kind: str) -> Row:
    ear = KeepingEar()
    sound = Sound(lambda numbers: (beep(numbers / SOUND_CLOCK_HZ, EACH_SECOND) * 32767).astype(np.int16), late_s=LATE_S)
    frames: list[Frame] = []
    with (
        RtspServer(lambda number: flash_picture(lit=bool(is_flash(np.asarray(number / 25), EACH_SECOND))), sound=sound)
        as server,
        make_source(server.url, settings=SourceSettings(), ear=ear) as source,
    ):  # fmt: skip
        source.open()
        end_s = time.monotonic() + RTSP_S
        while time.monotonic() < end_s:
            frames.append(source.read())
    settled_s = frames[0].time_s + SETTLED_S
    return {"kind": kind, **_spread(_offsets_ms([one for one in frames if one.time_s > settled_s], ear))}


def _offsets_ms(frames: Sequence[Frame], ear: KeepingEar) -> list[float]:
    """Of each flash, by how much the nearest beep begins after it."""
    beeps = np.asarray(beeps_in(ear.ring))
    return [1e3 * float(beeps[np.abs(beeps - flash).argmin()] - flash) for flash in flashes_in(frames)]


def _spread(offsets_ms: Sequence[float]) -> dict[str, object]:
    return {
        "flashes": len(offsets_ms),
        "offset_ms_median": round(float(np.median(offsets_ms)), 1),
        "offset_ms_worst": round(float(max(np.asarray(offsets_ms), key=np.abs)), 1),
    }


if __name__ == "__main__":
    main()
