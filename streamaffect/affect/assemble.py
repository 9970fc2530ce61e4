"""From predictions to estimates: sequence numbers, status and calibrated values; and what is heard beside them."""

from dataclasses import dataclass, replace

from msgspec import UNSET

from streamaffect.affect.calibration import Affect, Medium, is_finite, read_heads
from streamaffect.affect.clips import TIME_EPSILON_S
from streamaffect.affect.estimate import Prediction, TrackKey
from streamaffect.faces.crop import square_of_box, square_of_face
from streamaffect.lenses.view import Readings
from streamaffect.messages import Estimate, Status, Voice
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import CropSpec, Manifest
from streamaffect.types import Face, Sighting, Sightings, Square, VoiceReading
from streamaffect.voice.bundled import FaceAndVoice
from streamaffect.voice.fusion import beside
from streamaffect.voice.hidden import IN_VIEW, Glimpse, HiddenFaces, Unseen
from streamaffect.voice.joint import JointFusion
from streamaffect.voice.telling import VoiceTeller


@dataclass(frozen=True, slots=True)
class Seen:
    """The face that an estimate speaks of, and when it was seen; fields as in `Estimate`.

    live:  False for a file read offline, and for a still
    shape: of the picture, (height, width, …); by_hand: the box was given, and nobody looked for a face
    """

    stream: str
    track: int
    face: Face
    quality: float | None
    t_capture_ns: int
    pts_s: float | None
    live: bool
    shape: tuple[int, ...] = ()
    by_hand: bool = False

    def square(self, spec: CropSpec) -> Square:
        """What the model sees of the picture."""
        if self.by_hand:
            return square_of_box(self.face.box, self.shape, spec)
        return square_of_face(self.face, self.shape, spec)


@dataclass(frozen=True, slots=True)
class Provisional:
    """What was said of a face and waits for its future. lenses: what they said; they look at the present alone."""

    seq: int
    seen: Seen
    status: Status
    lenses: Readings
    voice: VoiceReading | None = None
    unseen: Unseen = IN_VIEW


def make_estimate(
    manifest: Manifest,
    seen: Seen,
    prediction: Prediction,
    *,
    seq: int,
    status: Status,
    refines: int | None = None,
    of: Medium = "stream",
) -> Estimate:
    """What the model says of a face, calibrated; no values where the status is `abstain`.

    Live, `t_publish_ns` stays 0 until a sink publishes the estimate: see `streamaffect.sinks.publishing`.
    """
    affect = Affect() if status == "abstain" else read_heads(manifest, prediction.heads, of=of)
    readings: Readings = {} if status == "abstain" else prediction.lenses
    intervals = {name: reading.intervals for name, reading in readings.items() if reading.intervals}
    has_map = any(reading.is_map for reading in readings.values())
    return Estimate(
        stream=seen.stream,
        track=seen.track,
        seq=seq,
        t_capture_ns=seen.t_capture_ns,
        t_publish_ns=0 if seen.live else seen.t_capture_ns,
        pts_s=seen.pts_s,
        valence=affect.valence,
        arousal=affect.arousal,
        valence_interval=affect.valence_interval,
        arousal_interval=affect.arousal_interval,
        status=status,
        coverage=prediction.coverage,
        context_fill=prediction.context_fill,
        lookahead_s=prediction.lookahead_s,
        refines=refines,
        box=seen.face.box,
        face_score=seen.face.score,
        quality=seen.quality,
        outputs=affect.outputs | {name: reading.values for name, reading in readings.items()},
        output_intervals=intervals or UNSET,
        square=seen.square(manifest.crop) if has_map else UNSET,
        model=manifest.label,
    )


class Assembler:
    """Turns the predictions of one stream into estimates, numbered from 0 without gaps.

    fusion: is asked of faces that are hidden while their voice goes on; None: the voice alone is
    both:   weighs face and voice by the bundle's own fusion; None where it has none, or nobody listens
    """

    def __init__(
        self, stream: str, bundle: Bundle, fusion: JointFusion | None = None, both: FaceAndVoice | None = None
    ) -> None:
        self._stream = stream
        self._manifest = bundle.manifest
        self._next_seq = 0
        # Share of context clips that exist while there is no future yet.
        context = bundle.manifest.context
        self._full_without_future = (context.past + 1) / context.clips
        self._has_future = context.future > 0
        # A future that has not come one clip after it was due will not come: the track has started anew.
        self._longest_wait_s = (context.future + 1) * bundle.manifest.clip.length_s + TIME_EPSILON_S
        self._provisional: dict[TrackKey, dict[float, Provisional]] = {}
        self._teller = VoiceTeller(stream)
        self._hidden = HiddenFaces(fusion)
        self._both = both

    def estimate(self, prediction: Prediction, sightings: Sightings, sighting: Sighting) -> Estimate:
        """The estimate of a track at the frame in which it was just seen."""
        frame = sightings.frame
        seen = Seen(
            stream=self._stream,
            track=sighting.track,
            face=sighting.face,
            quality=sighting.quality,
            t_capture_ns=frame.t_capture_ns,
            pts_s=frame.pts_s,
            live=frame.grabbed_ns is not None,
            shape=frame.picture.shape,
        )
        voice = sightings.voice if sightings.voice_of == sighting.track else None
        glimpse = Glimpse(frame.time_s, prediction.clip, prediction.coverage, sighting.crop is not None, voice)
        unseen = self._hidden.look(sighting.track, glimpse)
        if self._both is not None and (weighed := self._both.weigh(sighting.track, glimpse)) is not None:
            prediction = replace(prediction, heads={**prediction.heads, **weighed})
            unseen = replace(unseen, is_weighed=True)
        seq, status = self._take_seq(), self._status(prediction, sighting, voice)
        if self._has_future and status != "abstain":
            self._keep(prediction, Provisional(seq, seen, status, prediction.lenses, voice, unseen))
        return beside(make_estimate(self._manifest, seen, prediction, seq=seq, status=status), voice, unseen)

    def voice(self, sightings: Sightings) -> Voice | None:
        """What is heard beside these faces, whosever voice it is; None where nothing is new."""
        return self._teller.tell(sightings)

    def refinement(self, prediction: Prediction) -> Estimate | None:
        """The estimate that replaces an earlier one, now that its future has come; None where there is none."""
        earlier = self._provisional.get(prediction.key, {}).pop(prediction.time_s, None)
        if earlier is None or not is_finite(prediction.heads):
            return None
        refined = make_estimate(
            self._manifest,
            earlier.seen,
            replace(prediction, lenses=earlier.lenses),
            seq=self._take_seq(),
            status=earlier.status,
            refines=earlier.seq,
        )
        return beside(refined, earlier.voice, earlier.unseen)

    def forget(self, key: TrackKey) -> None:
        """Drop what waits for the future of a track that is lost."""
        self._provisional.pop(key, None)
        self._hidden.forget(key[1])
        if self._both is not None:
            self._both.forget(key[1])

    def _keep(self, prediction: Prediction, provisional: Provisional) -> None:
        """Remember what waits for its future, and forget those of its track that can't be refined any more."""
        waiting = self._provisional.setdefault(prediction.key, {})
        oldest_s = prediction.time_s - self._longest_wait_s
        for time_s in [time_s for time_s in waiting if time_s < oldest_s]:
            del waiting[time_s]
        waiting[prediction.time_s] = provisional

    def _take_seq(self) -> int:
        self._next_seq += 1
        return self._next_seq - 1

    def _status(self, prediction: Prediction, sighting: Sighting, voice: VoiceReading | None) -> Status:
        is_poor = sighting.visible and sighting.crop is None
        goes_on = voice is not None and voice.arousal is not None
        # Without any genuine sample in the clip, and without a voice, there is nothing that could be held.
        is_over = (is_poor or prediction.coverage == 0) and not goes_on
        if is_over or not prediction.heads or not is_finite(prediction.heads):
            return "abstain"
        if is_poor or not sighting.visible:
            return "held"
        return "warming" if prediction.context_fill < self._full_without_future - 1e-9 else "ok"
