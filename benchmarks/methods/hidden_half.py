"""What a voice is worth while the face is hidden half of the time: held, late fusion, and with the joint fusion beside.

    python -m benchmarks.methods.hidden_half --data DIR [--fusion DIR]

DIR holds `ferplus/` and `speech/`. Nobody filmed what is scored here: utterances of one speaker follow each other
beside still faces of the same emotion, of FER+'s PublicTest; the fusion was trained on neither. An emotion lasts for
2.5 utterances on average, 5 s; the face is hidden half of the time, for 2.6, 5.1 or 7.7 s on average. The truth is
what voters saw in the picture that is hidden. Each step goes through what streams: the bundle's context head on the
clips that it has, the voice reader on a ring of sound, `HiddenFaces` and `beside`. `held` is without a voice: the last
answer, held on. `joint` is what is published where a joint fusion is asked, of arousal the mean with late fusion. It is
an error if the fusion, where nothing is heard, changes a byte of what is held. Brackets are 95 %
bootstrap intervals over speakers.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.measures.agreement import Array, ccc, measure
from benchmarks.measures.report import Row, show, write
from streamaffect.errors import StreamAffectError
from streamaffect.messages import Estimate
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, Box, FloatArray, SoundBlock, VoiceReading
from streamaffect.voice.fusion import beside
from streamaffect.voice.hidden import Glimpse, HiddenFaces
from streamaffect.voice.joint import JointFusion, default_fusion_path
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.reader import VoiceReader
from train.audiovisual.pair_steps import paired_faces
from train.audiovisual.pairs import PairedFaces, Talk, TalkPlan, hidden_stretches, talks, voices_by_speaker
from train.audiovisual.speech import SpeechClip, load_speech
from train.data.backbone import VisualBackbone, open_backbone
from train.data.sets.ferplus import PUBLIC_TEST

STEPS, LASTING = 64, 0.6
STRETCHES = (4, 8, 12)  # steps for which a face is hidden, on average
ARMS = ("held", "late", "joint")


@dataclass(frozen=True, slots=True)
class Scene:
    """A talk, as it streams. shown: (S, C) the clip that there is; answers: (S, 2) of the context head

    hidden: (S,) bool; readings: of the voice at the end of each step
    """

    talk: Talk
    shown: FloatArray
    answers: FloatArray
    hidden: np.ndarray
    readings: Sequence[VoiceReading | None]


@dataclass(frozen=True, slots=True)
class Told:
    """One talk. truth and each arm: (S, 2) valence and arousal; hidden: (S,).

    intervals: (S, 2, 2) of the joint arm
    """

    speaker: str
    truth: Array
    arms: dict[str, Array]
    hidden: np.ndarray
    intervals: Array


def main(words: Sequence[str] | None = None) -> int:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus/ and speech/")
    parser.add_argument("--fusion", type=Path, help="folder of a joint fusion; default: the shipped one")
    parser.add_argument("--talks", type=int, default=2, help="of each speaker; default: 2")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/hidden_half.json")
    options = parser.parse_args(words)
    try:
        fusion, voice = JointFusion(options.fusion or default_fusion_path()), VoiceModel()
        backbone = open_backbone("default")
        trial = Trial(backbone, paired_faces(options.data, PUBLIC_TEST, backbone), voice, fusion)
        told: dict[int, dict[str, list[Told]]] = {stretch: {} for stretch in STRETCHES}
        for corpus, clips in _held_out(load_speech(options.data / "speech")).items():
            for stretch, talk in trial.run(clips, options.talks):
                told[stretch].setdefault(corpus, []).append(talk)
            print(f"{corpus}: {len(told[STRETCHES[0]].get(corpus, []))} talks", file=sys.stderr)
        rows = [
            row for stretch, by_corpus in told.items() for row in _table(stretch, by_corpus, backbone.clip.length_s)
        ]
    except StreamAffectError as error:
        print(f"hidden_half: {error}", file=sys.stderr)
        return 2
    write("hidden_half", rows, options.out, packages=("numpy", "onnxruntime", "av"))
    show(f"{fusion.manifest.label}, trained on {', '.join(fusion.manifest.training.data)}", rows)
    return 0


def _held_out(clips: Sequence[SpeechClip]) -> dict[str, list[SpeechClip]]:
    """By corpus, the speakers that were not trained on: of the corpora below `open` those of validation and test."""
    found: dict[str, list[SpeechClip]] = {}
    for clip in clips:
        if clip.tier != "open" or clip.split != "train":
            found.setdefault(clip.corpus, []).append(clip)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Trial:
    """What streams, without pixels: faces are clip vectors of stills."""

    backbone: VisualBackbone
    faces: PairedFaces
    voice: VoiceModel
    fusion: JointFusion

    def run(self, clips: Sequence[SpeechClip], count: int) -> Iterator[tuple[int, Told]]:
        """So many talks of each speaker, each with its face hidden in stretches of each length."""
        plan = TalkPlan(count, STEPS, self.backbone.clip.length_s, LASTING)
        made = list(talks(voices_by_speaker(clips), self.faces, plan, seed=1))
        masks = {stretch: hidden_stretches((len(made), STEPS), 0.5, stretch, seed=2) for stretch in STRETCHES}
        for number, talk in enumerate(made):
            readings = self.readings(talk)
            for stretch, hidden in masks.items():
                hidden[number, 0] = False  # a track begins with a face
                yield stretch, self.tell(self.scene(talk, hidden[number], readings))

    def readings(self, talk: Talk) -> list[VoiceReading | None]:
        """What is heard by the end of each step."""
        ring = SoundRing(len(talk.samples) / SOUND_RATE_HZ + 1)
        ring.push(SoundBlock(talk.samples, time_s=0.0, t_capture_ns=0))
        reader = VoiceReader(self.voice, ring)
        return [reader.read(end_s) for end_s in talk.ends_s.tolist()]

    def scene(self, talk: Talk, hidden: np.ndarray, readings: Sequence[VoiceReading | None]) -> Scene:
        """A hidden face repeats its last clip, as the clip buffer does."""
        last = np.maximum.accumulate(np.where(hidden, 0, np.arange(STEPS)))
        shown = self.faces.vectors[talk.faces[last]]
        past = self.backbone.bundle.manifest.context.past
        wanted = np.arange(STEPS)[:, None] - np.arange(past, -1, -1)
        heads = self.backbone.engine.run_heads(shown, shown[wanted.clip(0)], wanted >= 0)
        return Scene(talk, shown, heads["affect"], hidden, readings)

    def tell(self, scene: Scene) -> Told:
        """The answers of each arm at the end of each step."""
        silent = replace(scene, readings=[None] * STEPS)
        found = {"held": _course(silent), "late": _course(scene), "joint": _course(scene, self.fusion)}
        if msgspec.json.encode(_course(silent, self.fusion)) != msgspec.json.encode(found["held"]):
            raise AssertionError("with nothing heard the fusion has changed an answer")
        arms = {name: np.array([(one.valence, one.arousal) for one in part]) for name, part in found.items()}
        intervals = np.array([(one.valence_interval, one.arousal_interval) for one in found["joint"]])
        truth = np.asarray(self.faces.labels[scene.talk.faces], np.float64)
        return Told(scene.talk.speaker, truth, arms, scene.hidden, intervals)


def _course(scene: Scene, fusion: JointFusion | None = None) -> list[Estimate]:
    """What is published at the end of each step."""
    faces, said = HiddenFaces(fusion), []
    for step, end_s in enumerate(scene.talk.ends_s.tolist()):
        coverage, reading = 0.0 if scene.hidden[step] else 1.0, scene.readings[step]
        glimpse = Glimpse(end_s, scene.shown[step], coverage, coverage > 0, reading)
        said.append(beside(_estimate(step, end_s, scene.answers[step], coverage), reading, faces.look(0, glimpse)))
    return said


def _estimate(step: int, end_s: float, answer: FloatArray, coverage: float) -> Estimate:
    valence, arousal = np.clip(answer, -1, 1).tolist()
    return Estimate(
        stream="talk", track=0, seq=step, t_capture_ns=round(end_s * 1e9), t_publish_ns=0, pts_s=end_s,
        valence=valence, arousal=arousal, valence_interval=(valence, valence), arousal_interval=(arousal, arousal),
        status="ok" if coverage else "held", coverage=coverage, context_fill=1.0, lookahead_s=0.0, refines=None,
        box=Box(0, 0, 1, 1), face_score=1.0, outputs={}, model="default",
    )  # fmt: skip


def _table(stretch: int, by_corpus: Mapping[str, Sequence[Told]], step_s: float) -> Iterator[Row]:
    everything = [one for part in by_corpus.values() for one in part]
    for corpus, told in [*by_corpus.items(), ("all", everything)]:
        for column, output in ((1, "arousal"), (0, "valence")):
            yield {"hidden_for_s": round(stretch * step_s, 1), "corpus": corpus, "output": output, **_row(told, column)}


def _row(told: Sequence[Told], column: int) -> dict[str, object]:
    speakers = [one.speaker for one in told for _ in range(STEPS)]
    aim, hidden = np.concatenate([one.truth for one in told])[:, column], np.concatenate([one.hidden for one in told])
    said = {arm: np.concatenate([one.arms[arm] for one in told])[:, column] for arm in ARMS}
    low, high = np.concatenate([one.intervals for one in told])[hidden, column].T
    row: dict[str, object] = {"talks": len(told), "speakers": len(set(speakers))}
    row |= {arm: round(ccc(said[arm], aim), 3) for arm in ARMS}
    for better, worse in (("late", "held"), ("joint", "held"), ("joint", "late")):
        gain = measure(_gain, speakers, said[better], said[worse], aim)
        row[f"{better} - {worse}"] = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    row |= {f"{arm}, hidden steps": round(ccc(said[arm][hidden], aim[hidden]), 3) for arm in ARMS}
    row["interval right, hidden steps"] = round(float(((low <= aim[hidden]) & (aim[hidden] <= high)).mean()), 3)
    row["seen steps"] = round(ccc(said["joint"][~hidden], aim[~hidden]), 3)
    row["largest change of a seen step"] = float(np.abs(said["joint"] - said["held"])[~hidden].max())
    return row


def _gain(better: Array, worse: Array, truth: Array) -> float:
    return ccc(better, truth) - ccc(worse, truth)


if __name__ == "__main__":
    sys.exit(main())
