"""Sees all messages of a run pass, and adds to estimates what is seen and heard, in words."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from streamaffect.messages import Estimate, Event, Message, Meta
from streamaffect.text.classifier import Answers
from streamaffect.text.sentence import sentence
from streamaffect.text.textualise import PUBLISHED, TextualiserConfig, evidence_of_estimates, textualise
from streamaffect.text.transcript import Transcript

Key = tuple[str, int]

TEXT = "text"  # the output that holds the classes
LOOKS_BACK_S = 4.0  # of what the classifier reads


@dataclass(frozen=True, slots=True)
class Reader:
    """What classifies what was seen and heard: its answers, how its texts are written, and how often it is asked."""

    answers: Answers
    textualiser: TextualiserConfig = PUBLISHED
    period_s: float = 2.0


@dataclass(slots=True)
class _Face:
    """What was said of a face since its last sentence, and for the classifier."""

    since_ns: int
    since_pts_s: float | None
    asked_ns: int
    window: list[Estimate] = field(default_factory=list)
    past: deque[Estimate] = field(default_factory=deque)


class Describer:
    """Describes each face every `period_s`, by the clock of its pictures.

    transcripts: by stream, what is said in it; their times are those of its file
    reader:      classifies the texts; None: nobody does
    """

    def __init__(
        self, *, period_s: float, transcripts: Mapping[str, Transcript] | None = None, reader: Reader | None = None
    ) -> None:
        self._period_ns = round(period_s * 1e9)
        self._transcripts = dict(transcripts or {})
        self._reader = reader
        self._emotions: dict[str, str] = {}
        self._faces: dict[Key, _Face] = {}

    def apply(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages, with sentences in estimates; refinements speak of moments that have been described."""
        for message in messages:
            match message:
                case Estimate(refines=None):
                    yield self._described(message)
                    continue
                case Meta():
                    named = (head.name for head in message.heads if head.kind == "classification")
                    self._emotions[message.stream] = next(named, "emotions")
                case Event(event="track_lost", track=int(track)):
                    self._forget((message.stream, track))
                case Event(event="source_ended" | "stream_removed"):
                    for key in [key for key in self._faces if key[0] == message.stream]:
                        self._forget(key)
            yield message

    def _forget(self, key: Key) -> None:
        self._faces.pop(key, None)
        if self._reader is not None:
            self._reader.answers.forget(key)

    def _described(self, estimate: Estimate) -> Estimate:
        key = (estimate.stream, estimate.track)
        now_ns = estimate.t_capture_ns
        face = self._faces.get(key)
        if face is None or now_ns < face.since_ns:
            face = self._faces[key] = _Face(now_ns, estimate.pts_s, now_ns)
        face.window.append(estimate)
        found = estimate if self._reader is None else self._classified(face, key, estimate, self._reader)
        if now_ns - face.since_ns < self._period_ns:
            return found
        words = self._words(estimate, face.since_pts_s)
        text = sentence(face.window, emotions=self._emotions.get(estimate.stream, "emotions"), words=words)
        face.since_ns, face.since_pts_s, face.window = now_ns, estimate.pts_s, []
        return msgspec.structs.replace(found, description=text)

    def _words(self, estimate: Estimate, since_s: float | None) -> str:
        """Words that begin in the stretch that ends with this estimate."""
        transcript = self._transcripts.get(estimate.stream)
        if transcript is None or estimate.pts_s is None or since_s is None:
            return ""
        return transcript.begun(since_s, estimate.pts_s)

    def _classified(self, face: _Face, key: Key, estimate: Estimate, reader: Reader) -> Estimate:
        """The estimate with what the classifier last said of its face."""
        now_ns = estimate.t_capture_ns
        face.past.append(estimate)
        while now_ns - face.past[0].t_capture_ns > LOOKS_BACK_S * 1e9:
            face.past.popleft()
        if now_ns - face.asked_ns >= reader.period_s * 1e9:
            face.asked_ns = now_ns
            reader.answers.ask(key, self._text(face, estimate, reader))
        said = reader.answers.newest(key)
        if said is None:
            return estimate
        return msgspec.structs.replace(estimate, outputs={**estimate.outputs, TEXT: dict(said)})

    def _text(self, face: _Face, estimate: Estimate, reader: Reader) -> str:
        emotions = self._emotions.get(estimate.stream, "emotions")
        evidence = evidence_of_estimates(face.past, head=emotions)
        transcript, pts_s = self._transcripts.get(estimate.stream), estimate.pts_s
        if transcript is not None and pts_s is not None:
            evidence = replace(evidence, transcript=transcript.during(pts_s - LOOKS_BACK_S, pts_s))
        return textualise(replace(evidence, units=_units(face.past)), reader.textualiser)


def _units(estimates: Iterable[Estimate]) -> dict[int, float] | None:
    """The highest activation of each unit by its number; None where none is measured."""
    found: dict[int, float] = {}
    for estimate in estimates:
        for name, value in estimate.outputs.get("units", {}).items():
            if name.removeprefix("AU").isdecimal():
                number = int(name.removeprefix("AU"))
                found[number] = max(value, found.get(number, 0.0))
    return found or None
