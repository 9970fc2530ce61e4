"""From predictions to the estimates of one stream: sequence numbers, status and calibrated values."""

import msgspec

from streamaffect.affect.calibration import Affect, is_finite, read_heads
from streamaffect.affect.clips import TIME_EPSILON_S
from streamaffect.affect.estimate import Prediction, TrackKey
from streamaffect.runtime.bundle import Bundle
from streamaffect.types import Estimate, Sighting, Sightings, Status


class Assembler:
    """Turns the predictions of one stream into estimates, numbered from 0 without gaps."""

    def __init__(self, stream: str, bundle: Bundle) -> None:
        self._stream = stream
        self._bundle = bundle
        self._next_seq = 0
        # Share of context clips that exist while there is no future yet.
        context = bundle.manifest.context
        self._full_without_future = (context.past + 1) / context.clips
        self._has_future = context.future > 0
        # A future that has not come one clip after it was due will not come: the track has started anew.
        self._longest_wait_s = (context.future + 1) * bundle.manifest.clip.length_s + TIME_EPSILON_S
        self._provisional: dict[TrackKey, dict[float, Estimate]] = {}

    def estimate(self, prediction: Prediction, sightings: Sightings, sighting: Sighting) -> Estimate:
        """The estimate of a track at the frame in which it was just seen."""
        frame = sightings.frame
        status = self._status(prediction, sighting)
        affect = Affect() if status == "abstain" else read_heads(self._bundle.manifest, prediction.heads)
        estimate = Estimate(
            stream=self._stream,
            track=sighting.track,
            seq=self._take_seq(),
            t_capture_ns=frame.t_capture_ns,
            t_publish_ns=frame.t_capture_ns,
            pts_s=frame.pts_s,
            valence=affect.valence,
            arousal=affect.arousal,
            valence_interval=affect.valence_interval,
            arousal_interval=affect.arousal_interval,
            status=status,
            coverage=prediction.coverage,
            context_fill=prediction.context_fill,
            lookahead_s=0.0,
            refines=None,
            box=sighting.face.box,
            face_score=sighting.face.score,
            quality=sighting.quality,
            outputs=affect.outputs,
            model=self._bundle.manifest.label,
        )
        if self._has_future and status != "abstain":
            self._keep(prediction, estimate)
        return estimate

    def refinement(self, prediction: Prediction) -> Estimate | None:
        """The estimate that replaces an earlier one, now that its future has come; None where there is none."""
        provisional = self._provisional.get(prediction.key, {}).pop(prediction.time_s, None)
        if provisional is None or not is_finite(prediction.heads):
            return None
        affect = read_heads(self._bundle.manifest, prediction.heads)
        return msgspec.structs.replace(
            provisional,
            seq=self._take_seq(),
            refines=provisional.seq,
            lookahead_s=prediction.lookahead_s,
            context_fill=prediction.context_fill,
            valence=affect.valence,
            arousal=affect.arousal,
            valence_interval=affect.valence_interval,
            arousal_interval=affect.arousal_interval,
            outputs=affect.outputs,
        )

    def forget(self, key: TrackKey) -> None:
        """Drop what waits for the future of a track that is lost."""
        self._provisional.pop(key, None)

    def _keep(self, prediction: Prediction, estimate: Estimate) -> None:
        """Remember a provisional estimate, and forget those of its track that can't be refined any more."""
        waiting = self._provisional.setdefault(prediction.key, {})
        oldest_s = prediction.time_s - self._longest_wait_s
        for time_s in [time_s for time_s in waiting if time_s < oldest_s]:
            del waiting[time_s]
        waiting[prediction.time_s] = estimate

    def _take_seq(self) -> int:
        self._next_seq += 1
        return self._next_seq - 1

    def _status(self, prediction: Prediction, sighting: Sighting) -> Status:
        is_poor = sighting.visible and sighting.crop is None
        # Without any genuine sample in the clip there is nothing that could be held.
        if is_poor or prediction.coverage == 0 or not is_finite(prediction.heads):
            return "abstain"
        if not sighting.visible:
            return "held"
        return "warming" if prediction.context_fill < self._full_without_future - 1e-9 else "ok"
