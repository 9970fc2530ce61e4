"""The two stages between a source and the feed: finding faces in a frame, and estimating affect from what was found.

Both are plain objects without threads; `pipeline` decides what runs where.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator, Observation, Step
from streamaffect.clock import monotonic_ns
from streamaffect.faces.advice import advise, brightness, lights
from streamaffect.faces.cadence.cadence import Cadence
from streamaffect.faces.crop import crop_face
from streamaffect.faces.cuts import CutWatch, Verdict
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.faces.detectors.upright import is_left_lying
from streamaffect.faces.quality import measure
from streamaffect.faces.survey import Survey
from streamaffect.faces.tracker import Tracker
from streamaffect.lenses.view import FacePicture
from streamaffect.messages import Estimate, Event, EventName, Message
from streamaffect.runtime.bundle import Bundle
from streamaffect.settings import TrackerSettings
from streamaffect.types import Face, Flaw, Frame, ImageArray, Sighting, Sightings, TrackedFace
from streamaffect.voice.hidden import KEEP_S
from streamaffect.voice.reader import VoiceReader
from streamaffect.voice.speaker import Speaker

Batch = Sequence[tuple[str, Sightings]]


class FaceStage:
    """Detector, tracker, crop and quality for the frames of one stream.

    survey:      looks for what the detector passes over; None where nobody asks
    lost_before: tracks of a stage that this one has taken over from
    voice:       reads what is heard beside the frames; None where nobody listens
    cadence:     when the detector looks; None: in every frame
    """

    def __init__(
        self,
        detector: FaceDetector,
        tracker: Tracker,
        bundle: Bundle,
        *,
        survey: Survey | None = None,
        lost_before: Sequence[int] = (),
        voice: VoiceReader | None = None,
        cadence: Cadence | None = None,
    ) -> None:
        self.survey = survey
        self._voice = voice
        self._voice_of: int | None = None
        self._detector = detector
        self._tracker = tracker
        self._bundle = bundle
        self._lost_before = list(lost_before)
        self._cadence = cadence or Cadence(TrackerSettings(), every=1)
        self._cuts = CutWatch(bundle.manifest.crop)
        self._seen: dict[int, ImageArray] = {}  # the last crop of each track
        self._crop = bundle.manifest.crop
        self._lowest_quality = bundle.manifest.abstain.quality if bundle.manifest.abstain else 0.0

    def successor(self, detector: FaceDetector) -> "FaceStage":
        """The stage that takes over when this one fails: it starts new tracks, and first says that these are lost."""
        lost = [*self._lost_before, *self._tracker.tracks]
        return FaceStage(
            detector,
            self._tracker.successor(),
            self._bundle,
            survey=self.survey,
            lost_before=lost,
            voice=self._voice,
            cadence=self._cadence.successor(),
        )

    @property
    def speaker(self) -> Speaker | None:
        """Whose voice is heard beside the frames; None where nobody listens."""
        return None if self._voice is None else self._voice.speaker

    def retune(self, settings: TrackerSettings) -> None:
        """Follow faces by other settings from the next frame on; callable from any thread."""
        self._tracker.retune(settings)
        self._cadence.retune(settings)

    def look(self, frame: Frame, *, pressed: bool = False) -> Sightings:
        """Find and follow the faces of the next frame.

        pressed: there is more to do than can be done
        """
        started_ns = monotonic_ns()
        detections = self._cadence.follow(frame.picture, frame.time_s, pressed=pressed)
        if detections is None:
            detections = self._detect(frame)
        self._heed(self._cuts.judge(frame.picture, frame.time_s, detections, list(self._seen.values())))
        voice = self._voice.read(frame.time_s) if self._voice is not None else None
        speaks = self._voice is not None and voice is not None and voice.arousal is not None
        update = self._tracker.update(detections, frame.time_s, keep=self._voice_of if speaks else None, keep_s=KEEP_S)
        for track in update.lost:
            self._seen.pop(track, None)
        faces = [self._sighting(frame, tracked) for tracked in update.tracks]
        lost, self._lost_before = [*self._lost_before, *update.lost], []
        self._voice_of = None if self._voice is None else self._voice.speaker.track(faces)
        return Sightings(
            frame,
            faces,
            update.born,
            lost,
            started_ns,
            monotonic_ns(),
            update.left_out,
            detected=len(detections),
            voice=voice,
            voice_of=self._voice_of,
        )

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()

    def _detect(self, frame: Frame) -> list[Face]:
        found = self._detector.detect(frame.picture, frame.time_s)
        self._cadence.note(frame.picture, frame.time_s, found)
        if self.survey is not None:
            self.survey.note(frame.picture, frame.time_s, found)
        return found

    def _heed(self, verdict: Verdict) -> None:
        if verdict == "cut":
            self._tracker.start_anew()
        elif verdict == "doubt":
            self._tracker.set_aside()
        else:
            self._tracker.take_back()

    def _sighting(self, frame: Frame, tracked: TrackedFace) -> Sighting:
        if not tracked.visible:
            return Sighting(tracked.track, tracked.face, visible=False, crop=None, quality=None)
        crop = self._seen[tracked.track] = crop_face(frame.picture, tracked.face, self._crop)
        measured = measure(crop, tracked.face, frame.picture.shape, self._crop)
        is_lying = is_left_lying(tracked.face, frame.picture, self._crop)
        grey = brightness(crop)
        flaw: Flaw | None = "turned" if is_lying else None
        if measured.overall < self._lowest_quality:
            flaw = measured.weakest
        return Sighting(
            track=tracked.track,
            face=tracked.face,
            visible=True,
            crop=crop if flaw is None else None,
            quality=measured.overall,
            advice=advise(grey, tracked.face, measured),
            lights=lights(grey, tracked.face, measured),
            flaw=flaw,
        )


class AffectStage:
    """Estimator and assemblers: the sightings of any number of streams in, messages out.

    A batch is at most one frame of each stream; their faces share the batches of the three graphs.
    """

    def __init__(self, estimator: Estimator, assemblers: Mapping[str, Assembler]) -> None:
        self._estimator = estimator
        self._assemblers = assemblers

    def estimate(self, batch: Batch) -> Step:
        """Run the model. Nothing outside the estimator changes."""
        return self._estimator.step(
            [
                Observation((stream, one.track), seen.frame.time_s, one.crop, _picture(seen, one))
                for stream, seen, one in _rows(batch)
            ]
        )

    def messages(self, batch: Batch, step: Step, *, stale: Collection[str] = ()) -> Iterator[Message]:
        """For each stream in turn: tracks that were born, a voice, estimates, tracks that were lost.

        stale: streams whose frame is too old to be spoken of
        """
        rows = list(_rows(batch))
        estimates: dict[str, list[Estimate]] = {stream: [] for stream, _ in batch}
        for (stream, sightings, sighting), prediction in zip(rows, step.predictions, strict=True):
            if stream not in stale:
                estimates[stream].append(self._assemblers[stream].estimate(prediction, sightings, sighting))
        for prediction in step.refinements:
            stream = prediction.key[0]
            if stream not in stale and (refined := self._assemblers[stream].refinement(prediction)):
                estimates[stream].append(refined)
        for stream, sightings in batch:
            yield from _track_events(stream, sightings, "track_born", sightings.born)
            if stream not in stale and (voice := self._assemblers[stream].voice(sightings)) is not None:
                yield voice
            yield from (_with_latency(estimate, sightings, step) for estimate in estimates[stream])
            yield from _track_events(stream, sightings, "track_lost", sightings.lost)
            for track in sightings.lost:
                self._estimator.forget((stream, track))
                self._assemblers[stream].forget((stream, track))

    def forget_stream(self, stream: str) -> None:
        """Drop the tracks of a stream of which nothing more will come."""
        self._estimator.forget_stream(stream)

    def forget_all(self) -> None:
        """Let every track begin again with its next frame."""
        self._estimator.forget_all()


def _rows(batch: Batch) -> Iterator[tuple[str, Sightings, Sighting]]:
    return ((stream, sightings, sighting) for stream, sightings in batch for sighting in sightings.faces)


def _picture(sightings: Sightings, sighting: Sighting) -> FacePicture | None:
    return None if sighting.crop is None else FacePicture(sightings.frame.picture, sighting.face)


def _with_latency(estimate: Estimate, sightings: Sightings, step: Step) -> Estimate:
    """Stage by stage, and in all so far; a frame without a grab time (read offline) has no latency.

    The frame is the one that made the estimate possible: for a refined one, the last frame of its future.
    """
    frame = sightings.frame
    if frame.grabbed_ns is None:
        return estimate
    since_capture_ns = frame.t_capture_ns - estimate.t_capture_ns + monotonic_ns() - frame.grabbed_ns
    latency_ms = {
        "capture": (sightings.started_ns - frame.grabbed_ns) / 1e6,
        "faces": (sightings.ended_ns - sightings.started_ns) / 1e6,
        "encode": step.encode_ms,
        "clip": step.clip_ms,
        "total": since_capture_ns / 1e6,
    }
    return msgspec.structs.replace(estimate, latency_ms=latency_ms)


def _track_events(stream: str, sightings: Sightings, event: EventName, tracks: Sequence[int]) -> Iterator[Event]:
    for track in tracks:
        yield Event(stream=stream, t_ns=sightings.frame.t_capture_ns, event=event, track=track)
