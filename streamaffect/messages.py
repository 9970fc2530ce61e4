"""What a stream says: the messages of the feed and of recordings, wire schema v1."""

from typing import Annotated, Literal

import msgspec

from streamaffect.types import Box, PictureLights, SoundClock, Square

NOTICE = "An emotion-estimation system is running: it measures apparent expression, not felt emotion."

Difference = Annotated[float, msgspec.Meta(ge=-2.0, le=2.0)]
Signed = Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

Status = Literal["ok", "warming", "held", "abstain"]
BaselineState = Literal["none", "collecting", "refused", "taken"]
EventName = Literal[
    "track_born",
    "track_lost",
    "source_lost",
    "source_back",
    "source_ended",
    "engine_lost",
    "engine_back",
    "detector_lost",
    "detector_back",
    "clock_stepped",
    "sound_lost",
    "sound_back",
    "marker",
    "stream_added",
    "stream_removed",
    "stop_asked",
    "baseline_started",
    "baseline_taken",
    "baseline_refused",
    "baseline_cleared",
    "votes",
    "prompts_changed",
    "voice_given",
]
SourceState = Literal["starting", "live", "stalled", "lost", "ended"]
SkipReason = Literal["late", "overload", "cap", "engine", "detector", "stale"]
SoundState = Literal["waiting", "heard", "lost", "absent"]
VoiceState = Literal["heard", "quiet", "gone"]


class Estimate(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="affect"):
    """What the stream says of one face at one time: the message of the topic `affect/<stream>/<track>/`.

    valence, arousal: in [-1, 1]; None where the stream abstains
    *_interval:       90 % conformal interval (low, high) within [-1, 1]
    status:           ok; warming (context not full yet); held (face hidden for less than a clip); abstain (quality
                      below the bundle's limit: no values)
    coverage:         share of the clip's samples that were really seen, [0, 1]
    context_fill:     share of the context clips that are real, [0, 1]
    lookahead_s:      seconds of future that this estimate has used
    refines:          `seq` of the provisional estimate that this one replaces
    seq:              counts the estimates of the stream from 0, without gaps
    box:              x, y, w, h as shares of the frame
    quality:          the crop's quality in [0, 1] (see `Quality.overall`)
    outputs:          further heads and lenses by name, e.g. outputs["emotions"]["happiness"]
    output_intervals: 90 % conformal intervals (low, high) of outputs of lenses, by the same names; absent without any
    square:           where outputs of kind "map" lie: the corners top left, top right and bottom left of the square
                      that the model sees, x and y as shares of the frame; absent without such outputs
    latency_ms:       per stage and `total`; empty for a file read offline, where waiting has no meaning
    description:      one sentence for people on what was seen and heard since the last one; there once a second, in
                      runs that describe
    baseline:         whether this face's own neutral is known; absent in runs that take no baselines
    *_relative:       the value minus that of the face's neutral, in [-2, 2], and its 90 % interval; absent until one
                      was taken
    """

    v: int = 1
    stream: str
    track: int
    seq: int
    t_capture_ns: int
    t_publish_ns: int
    pts_s: float | None
    valence: Signed | None
    arousal: Signed | None
    valence_interval: tuple[Signed, Signed] | None
    arousal_interval: tuple[Signed, Signed] | None
    status: Status
    coverage: Share
    context_fill: Share
    lookahead_s: float
    refines: int | None
    box: Box
    face_score: float
    quality: float | None = None
    outputs: dict[str, dict[str, float]] = {}
    output_intervals: dict[str, dict[str, tuple[float, float]]] | msgspec.UnsetType = msgspec.UNSET
    square: Square | msgspec.UnsetType = msgspec.UNSET
    latency_ms: dict[str, float] = {}
    model: str
    baseline: BaselineState | msgspec.UnsetType = msgspec.UNSET
    valence_relative: Difference | msgspec.UnsetType | None = msgspec.UNSET
    arousal_relative: Difference | msgspec.UnsetType | None = msgspec.UNSET
    valence_relative_interval: tuple[Difference, Difference] | msgspec.UnsetType | None = msgspec.UNSET
    arousal_relative_interval: tuple[Difference, Difference] | msgspec.UnsetType | None = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET


class LatencySummary(msgspec.Struct, frozen=True):
    """Milliseconds from capture to publishing over the last seconds."""

    p50: float
    p95: float
    p99: float


class SoundHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What is heard beside the pictures of a stream, where something has asked for sound.

    state:       waiting: nothing has come yet; heard; lost: it has stopped, and the pictures go on; absent: there is
                 none
    clock:       by which it is placed beside the pictures: container: one that both have in their file or stream;
                 sender: one that the reports of an RTSP sender give for both; arrival: the time at which it came, which
                 may be some tenths of a second off; device: that of a microphone; None before the first sound
    level_db:    root mean square of the last second against full scale, in dB; None where nothing is heard
    heard_share: of the last ten seconds of sound, [0, 1]: what is missing is gaps
    behind_s:    by so much the newest sound is behind the newest picture that was looked at; below 0 it is ahead
    detail:      why there is none, one line for people; empty where there is
    """

    state: SoundState
    clock: SoundClock | None = None
    level_db: float | None = None
    heard_share: Share = 0.0
    behind_s: float | None = None
    detail: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="health"):
    """The state of one stream, each second: topic `health/<stream>/`.

    state:            starting: no frame has been finished yet; live; stalled: the source is open, but no estimates can
                      be made at the moment; lost: the source is away and is tried again; ended
    fault:            why it is stalled, one line for people; empty where nothing is wrong
    fps_in, fps_out:  frames grabbed and frames finished per second, over the last seconds
    frames, skipped:  totals since the start; skipped frames were grabbed and never looked at, so that latency stays low
    dropped:          messages that each sink had to drop, by sink
    outlets:          by outlet that reaches nobody at the moment, why, one line for people; absent where all do
    faces:            faces in view that are followed; faces_left_out: further ones, for which `tracker.max_faces` has
                      no room
    downtime_s:       seconds without a source, in total; reconnects: how often it came back
    memory_mb:        highest resident memory of the process so far, MiB
    advice:           what would make the picture of the largest face better, a sentence; absent where nothing must
    picture:          how well the picture shows the largest face, as traffic lights; absent where there is none
    progress:         share of the file that is done, [0, 1]; None for a live source
    sound:            what is heard beside the pictures; absent where nothing has asked for it
    analysis_fps:     frames a second that are analysed at most, by a cap or because there is too much to do; absent
                      where all are
    skipped_why:      how many frames were skipped for which reason; absent where none was. late: a newer one came
                      before anybody had looked; overload: the rate of all streams fell together; cap:
                      `run.analysis_fps`; engine, detector: that had failed or hung; stale: it waited while the
                      process stood still
    """

    v: int = 1
    stream: str
    t_ns: int
    state: SourceState
    fault: str = ""
    uptime_s: float
    fps_in: float
    fps_out: float
    frames: int
    skipped: int
    faces: int
    faces_left_out: int = 0
    estimates: int
    dropped: dict[str, int] = {}
    outlets: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    latency_ms: LatencySummary | None = None
    reconnects: int = 0
    downtime_s: float = 0.0
    memory_mb: float = 0.0
    advice: str | msgspec.UnsetType = msgspec.UNSET
    picture: PictureLights | msgspec.UnsetType = msgspec.UNSET
    progress: float | None = None
    sound: SoundHealth | msgspec.UnsetType = msgspec.UNSET
    analysis_fps: float | msgspec.UnsetType = msgspec.UNSET
    skipped_why: dict[SkipReason, int] | msgspec.UnsetType = msgspec.UNSET


class Voice(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="voice"):
    """What is heard of a voice beside a stream, whosever it is: topic `voice/<stream>/`, twice a second at most.

    t_capture_ns, pts_s: where the two seconds end that were listened to; pts_s is None for a live source
    state:            heard; quiet: nobody speaks, or too little for an arousal; gone: there is no sound any more, which
                      is said once
    activity:         share of the two seconds in which somebody speaks, [0, 1]; None while gone
    arousal:          in [-1, 1]; None unless heard
    arousal_interval: 90 % conformal interval (low, high) within [-1, 1]
    track:            the face whose voice it was taken for; None where it is nobody's: no face is in view, or several
                      are, and nobody has said whose it is
    model:            name@version of the voice model
    """

    v: int = 1
    stream: str
    t_capture_ns: int
    t_publish_ns: int
    pts_s: float | None
    state: VoiceState
    activity: Share | None
    arousal: Signed | None
    arousal_interval: tuple[Signed, Signed] | None
    track: int | None
    model: str


class Votes(msgspec.Struct, frozen=True, kw_only=True):
    """What all frames of one face say together of an output whose values are scores of classes.

    output:   its name
    frames:   how many have voted: those in which the face was seen
    majority: the class that was the largest in most frames; of equals the one that came first
    shares:   by class, share of the frames in which it was the largest, [0, 1]
    means:    by class, mean score
    clear:    share of the frames in which the largest score was at least 0.36, for a product of two probabilities what
              0.3 for each gives, [0, 1]
    """

    output: str
    frames: int
    majority: str
    shares: dict[str, Share]
    means: dict[str, float]
    clear: Share


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """Something that happened once: topic `event/<stream>/`.

    event:      track_born, track_lost; source_lost, source_back, source_ended; engine_lost, engine_back: what runs the
                model failed or hung, and another one has taken over; detector_lost, detector_back: the same of the face
                detector of this stream; clock_stepped: the system clock was set, or the machine has slept; sound_lost,
                sound_back: the sound of a stream has stopped while its pictures go on, and is there again; marker:
                somebody has marked the moment t_ns; stream_added, stream_removed, stop_asked: commands to the run;
                baseline_started, baseline_taken, baseline_refused, baseline_cleared: of a face's neutral; votes: at the
                end of a file, what the frames of a face say together; prompts_changed: other sentences are looked for,
                which the next `meta` describes; voice_given: somebody has said whose the voice is
    track:      for events of a track
    downtime_s: for source_back, engine_back, detector_back and sound_back, how long there was none
    step_s:     for clock_stepped alone: by how many seconds t_capture_ns and t_publish_ns went forward
    label:      for marker: its text, as whoever has set it gave it
    origin:     who has set a marker or given a command: ctl, key, page, file, lsl:NAME, tcp:PORT; absent for all others
    votes:      for votes alone
    detail:     one line for people, without credentials
    """

    v: int = 1
    stream: str
    t_ns: int
    event: EventName
    track: int | None = None
    downtime_s: float | None = None
    step_s: float | msgspec.UnsetType = msgspec.UNSET
    label: str | msgspec.UnsetType = msgspec.UNSET
    origin: str | msgspec.UnsetType = msgspec.UNSET
    votes: Votes | msgspec.UnsetType = msgspec.UNSET
    detail: str = ""


class HeadMeta(msgspec.Struct, frozen=True, kw_only=True):
    """One head of the model as subscribers see it, or a lens, or what is heard: names, ranges and units of its outputs.

    lens:    which lens it is, name@version and the beginning of its hash; absent for all others
    summary: of a lens and of what is heard, what it says, in words; absent for a head of the bundle
    """

    name: str
    kind: str
    outputs: list[dict[str, object]]
    lens: str | msgspec.UnsetType = msgspec.UNSET
    summary: str | msgspec.UnsetType = msgspec.UNSET


class Meta(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="meta"):
    """What a subscriber must know to read a stream: topic `meta/<stream>/`, sent on subscribing.

    source:        the source with its credentials removed
    model:         name@version; bundle_sha256: of its manifest
    clip_s:        seconds of a clip; context_s: seconds that the model looks back in all
    engine:        the backend that runs; engine_reason: why it was chosen
    notice:        the sentence about emotion estimation that every user interface must show
    run:           which run the stream comes from, where that has an id; with another one `seq` and tracks begin anew
    """

    v: int = 1
    stream: str
    t_ns: int
    source: str
    live: bool
    model: str
    bundle_sha256: str
    heads: list[HeadMeta]
    clip_s: float
    context_s: float
    engine: str
    engine_reason: str
    software: str
    notice: str
    run: str | msgspec.UnsetType = msgspec.UNSET


Message = Estimate | Voice | Health | Event | Meta
