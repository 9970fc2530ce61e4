"""How well the voice model hears arousal in corpora that it has never seen, and what a second of sound costs.

    python -m benchmarks.voice --data DIR [--model DIR]

DIR holds `clips.csv` and its sound files, as `train/audiovisual/speech.py` describes. Every clip is read as the stream
reads it, in windows half a second apart, averaged over the clip. A corpus that has levels and no arousal is scored
against -0.27, 0.16 and 0.59 for its levels 0, 1 and 2: from the arousal of sadness to that of anger. Brackets are
95 % bootstrap intervals over speakers; `inside` is how often a window's interval holds the truth, `heard` how many
clips pass the voice activity. The cost is CPU time for each second of sound, two windows a second; and that of the
shipped fusion, which is asked of each frame in which a face is hidden while it speaks.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measures.agreement import ccc, measure, pcc
from benchmarks.measures.report import Row, show, write
from streamaffect.errors import StreamAffectError
from streamaffect.types import SOUND_RATE_HZ, FloatArray
from streamaffect.voice.joint import JointFusion, StepWindow, default_fusion_path
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.reader import PERIOD_S
from train.audiovisual.speech import SpeechClip, load_speech, sounds

LEVELS = {0.0: -0.27, 1.0: 0.16, 2.0: 0.59}
TIMED_S = 60.0
ASKED = 2000  # times, of the fusion


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a clip, in the mean of its windows; inside: share of windows whose interval holds the truth."""

    clip: SpeechClip
    truth: float
    said: float
    heard: bool
    inside: float


def main(words: Sequence[str] | None = None) -> int:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with clips.csv")
    parser.add_argument("--model", type=Path, help="folder of a voice model; default: the shipped one")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/voice.json")
    options = parser.parse_args(words)
    try:
        model, clips = VoiceModel(options.model), load_speech(options.data)
        rows = [*_corpora(model, clips), {**_cost(model, clips), **_fusion_cost(JointFusion(default_fusion_path()))}]
    except StreamAffectError as error:
        print(f"voice: {error}", file=sys.stderr)
        return 2
    write("voice", rows, options.out, packages=("numpy", "onnxruntime", "av"))
    show(f"{model.manifest.label}, trained on {', '.join(model.manifest.training.data)}", rows[:-1])
    cost = rows[-1]
    print(f"{cost['cpu_ms_per_s']} ms of CPU per second of sound, {cost['fusion_cpu_ms']} for a frame of a hidden face")
    return 0


def _corpora(model: VoiceModel, clips: Sequence[SpeechClip]) -> Iterator[Row]:
    rated = {clip.corpus for clip in clips if clip.arousal is not None}
    by_corpus: dict[str, list[Answer]] = {}
    for clip, samples in sounds(clips):
        truth = clip.arousal if clip.corpus in rated else LEVELS.get(-1.0 if clip.level is None else clip.level)
        answer = None if truth is None else _answer(model, clip, samples, truth)
        if answer is not None:
            by_corpus.setdefault(clip.corpus, []).append(answer)
    for corpus, answers in sorted(by_corpus.items()):
        said, meant = (np.array([getattr(one, name) for one in answers]) for name in ("said", "truth"))
        found = measure(ccc, [one.clip.subject for one in answers], said, meant)
        yield {
            "corpus": corpus,
            "tier": answers[0].clip.tier,
            "clips": found.count,
            "speakers": found.groups,
            "ccc": round(found.value, 3),
            "interval": f"[{found.low:.2f}, {found.high:.2f}]",
            "pcc": round(pcc(said, meant), 3),
            "inside": round(float(np.mean([one.inside for one in answers])), 3),
            "heard": round(float(np.mean([one.heard for one in answers])), 3),
        }


def _answer(model: VoiceModel, clip: SpeechClip, samples: FloatArray, truth: float) -> Answer | None:
    windows = list(_windows(samples, model.window))
    said = np.array([value for window in windows if (value := model.arousal(window)) is not None])
    if not len(said):
        return None
    heard = any(model.read(window).arousal is not None for window in windows)
    inside = float((np.abs(said - truth) <= model.manifest.half_width).mean())
    return Answer(clip, truth, float(said.mean()), heard, inside)


def _windows(samples: FloatArray, size: int) -> Iterator[FloatArray]:
    """Windows of a clip, the last one at its end; a clip that is shorter is its own only one."""
    hop = round(PERIOD_S * SOUND_RATE_HZ)
    starts = range(len(samples) - size, -1, -hop) if len(samples) > size else [0]
    return (samples[start : start + size] for start in starts)


def _cost(model: VoiceModel, clips: Sequence[SpeechClip]) -> Row:
    """Activity, prosody and graph over speech that does not end."""
    parts: list[FloatArray] = []
    for _, samples in sounds(clips[:200]):
        parts.append(samples)
    speech = np.concatenate(parts)[: round(TIMED_S * SOUND_RATE_HZ)]
    windows = list(_windows(speech, model.window))
    model.read(windows[0])
    started_s = time.process_time()
    for window in windows:
        model.read(window)
    spent_ms = 1e3 * (time.process_time() - started_s)
    return {"cpu_ms_per_s": round(spent_ms / (len(windows) * PERIOD_S), 2), "seconds": round(len(windows) * PERIOD_S)}


def _fusion_cost(fusion: JointFusion) -> Row:
    """Of one question with every step seen and heard; what the numbers are does not matter."""
    manifest, rng = fusion.manifest, np.random.default_rng(0)
    widths = {spec.name: int(spec.shape[-1]) for spec in manifest.graph.inputs if spec.name in ("visual", "audio")}
    visual, audio = (rng.normal(size=(manifest.steps, widths[name])).astype(np.float32) for name in ("visual", "audio"))
    everywhere = np.ones(manifest.steps, np.bool_)
    window = StepWindow(visual, audio, everywhere, everywhere, everywhere)
    fusion.fuse(window)
    started_s = time.process_time()
    for _ in range(ASKED):
        fusion.fuse(window)
    return {"fusion_cpu_ms": round(1e3 * (time.process_time() - started_s) / ASKED, 3)}


if __name__ == "__main__":
    sys.exit(main())
