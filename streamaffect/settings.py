"""What can be set, by section of the configuration; `streamaffect.config` reads and checks it.

Structs alone, so that what needs a setting doesn't load what it sets.
"""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

EngineName = Literal["auto", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime"]
EnginePrecision = Literal["auto", "fp32", "fp16", "bf16", "int8"]
Positive = Annotated[float, Meta(gt=0.0)]
Seconds = Annotated[float, Meta(gt=0.0, le=3600.0)]

Whose = Literal["only", "largest", "nobody"] | Annotated[int, Meta(ge=0)]

DEFAULT_ADDRESS = "tcp://127.0.0.1:5556"


def whose_of(text: str) -> Whose:
    """Whose a voice is, in words or as the number of a face. Raises ValueError for anything else."""
    match text.strip():
        case "only":
            return "only"
        case "largest":
            return "largest"
        case "nobody":
            return "nobody"
        case digits if digits.isdecimal() and digits.isascii():
            return int(digits)
    raise ValueError("expected only, largest, nobody or the number of a face")


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[run]: what to run and for how long.

    sources:     as --source, each "SOURCE" or "name=SOURCE"
    bundle:      folder of a bundle; empty is the shipped one
    realtime:    play files by their clock, as if live
    max_seconds: end after so long; 0 is never
    analysis_fps: frames a second of each stream that are analysed at most; 0 is all of them
    priorities:  each "NAME=SHARE": the stream's share, beside 1 of any other, where not all frames can be analysed
    record:      file to record to; empty is none
    overwrite:   replace a recording that exists
    record_crops: new file for pictures of a face that is alone in view, to be learned from; empty is none
    keep_days:   remove recordings in the folder of `record` that were last written to so many days ago; 0 keeps all
    require_all: begin only if every source works; otherwise one is enough, and cameras that are away are tried again
    id:          by which subscribers tell this run from others with the same streams, `run` in `meta`; empty is none
    patience_s:  how long the face detector or the engine may take over one picture before it counts as hung, and
                 another one takes over
    """

    sources: list[str] = []
    bundle: str = ""
    realtime: bool = False
    max_seconds: Annotated[float, Meta(ge=0.0)] = 0.0
    analysis_fps: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    priorities: list[str] = []
    record: str = ""
    overwrite: bool = False
    record_crops: str = ""
    keep_days: Annotated[float, Meta(ge=0.0, le=36_500.0)] = 0.0
    require_all: bool = False
    id: Annotated[str, Meta(max_length=64)] = ""
    patience_s: Seconds = 10.0

    def __post_init__(self) -> None:
        for text in self.priorities:
            name, share = _priority(text)
            if not (name and 0.01 <= share <= 100.0):
                raise ValueError(
                    f"priorities has {text!r}, expected NAME=SHARE with a share from 0.01 to 100, such as door=2"
                )

    @property
    def shares(self) -> dict[str, float]:
        """`priorities`, by stream."""
        return dict(map(_priority, self.priorities))


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[engine]: which backend, in which precision, and how many threads a call may use.

    precision:    "auto" is the fastest that is verified here; fp32 gives the same numbers on every machine
    device_clips: keep features and clips in the GPU's memory; with a TensorRT engine only
    """

    backend: EngineName = "auto"
    precision: EnginePrecision = "auto"
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    device_clips: bool = False


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[source]: how cameras and network streams are opened and kept alive.

    width, height, fps: what a camera is asked for, in pixels and frames per second; it may answer with something else
    rtsp_transport:     how pictures come from an RTSP camera
    hwaccel:            "auto" lets a graphics card or another device decode files and RTSP cameras where one can;
                        pictures may then differ by a grey level
    redirect_hosts:     hosts that a camera's host may lead to, by a redirect or in a playlist; "*" is any
    open_timeout_s:     how long a camera or host may take to give its first frame
    read_timeout_s:     how long a live source may be silent before it counts as lost
    backoff_min_s:      the first wait before a lost source is asked again; each further wait is twice as long
    backoff_max_s:      the longest such wait
    forbidden_wait_s:   the wait once a host has refused the credentials for a minute: many lock out who asks too often
    sound:              "off"; "auto" hears the sound of files and network cameras; "mic" the default microphone of this
                        machine, and "mic:NAME" the one with NAME in its name
    """

    width: Annotated[int, Meta(ge=16, le=7680)] = 640
    height: Annotated[int, Meta(ge=16, le=4320)] = 480
    fps: Annotated[float, Meta(ge=1.0, le=240.0)] = 30.0
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    hwaccel: Literal["off", "auto"] = "off"
    redirect_hosts: list[str] = []
    open_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 2.5
    backoff_min_s: Seconds = 0.25
    backoff_max_s: Seconds = 0.75
    forbidden_wait_s: Seconds = 30.0
    sound: str = "off"

    def __post_init__(self) -> None:
        if self.sound not in ("off", "auto") and self.microphone is None:
            raise ValueError(f"sound is {self.sound!r}, expected off, auto, mic or mic:NAME")
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_min_s is {self.backoff_min_s:g}, above backoff_max_s {self.backoff_max_s:g}, the longest "
                "wait; set both"
            )

    @property
    def microphone(self) -> str | None:
        """The name of the microphone that is asked for, empty for the default one; None where none is."""
        kind, _, name = self.sound.partition(":")
        return name.strip() if kind == "mic" and (self.sound == "mic" or name.strip()) else None


class VoiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[voice]: whose voice is heard, where source.sound is not "off".

    track: "only", the face that is in view alone; "largest" face in view; "nobody"; or a face's number. For single
           streams "NAME=…", with commas between
    """

    track: str = "only"

    def __post_init__(self) -> None:
        try:
            self.by_stream  # noqa: B018 - asked for its complaint
        except ValueError as error:
            raise ValueError(f"track is {self.track!r}, {error}") from None

    @property
    def by_stream(self) -> dict[str, Whose]:
        """Whose voice each stream hears; "" is all others."""
        found: dict[str, Whose] = {"": "only"}
        for part in self.track.split(","):
            name, _, who = part.rpartition("=")
            found[name.strip()] = whose_of(who)
        return found

    def whose(self, stream: str) -> Whose:
        """Whose voice this stream hears."""
        return self.by_stream.get(stream, self.by_stream[""])


class FaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[faces]: the detector.

    detector:  "mediapipe", or "litert": the same network without MediaPipe
    min_score: detections below this confidence are dropped
    tiles:     1 looks at the whole frame; 2 and more also search it in tiles, for small faces in large frames
    every:     from one look of the detector to the next, 1 to 5 frames, in which known faces are followed by their
               picture; "auto" is 3, live 5 under overload. A face that is in doubt is looked for at once
    """

    detector: Literal["mediapipe", "litert"] = "mediapipe"
    min_score: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    tiles: Annotated[int, Meta(ge=1, le=4)] = 1
    every: Literal["auto"] | Annotated[int, Meta(ge=1, le=5)] = "auto"


class TrackerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[tracker]: how the tracker believes, keeps and smooths.

    confirm_hits, confirm_s: a candidate becomes a track after so many detections and so many seconds, both
    keep_s:         a track that is hidden for longer is lost; the default is one clip
    max_faces:      so many tracks at once: the oldest stay, and of new faces the largest come first
    min_cutoff_hz:  smoothing at rest, lower is smoother
    beta:           how fast smoothing gives way to motion, in Hz per face size per second
    """

    confirm_hits: Annotated[int, Meta(ge=1)] = 3
    confirm_s: Annotated[float, Meta(ge=0.0)] = 0.12
    keep_s: Annotated[float, Meta(ge=0.0)] = 0.64
    max_faces: Annotated[int, Meta(ge=1)] = 8
    min_cutoff_hz: Positive = 1.0
    beta: Annotated[float, Meta(ge=0.0)] = 8.0


class LensSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[lens]: optional parts that add outputs; `streamaffect lenses` lists them.

    use:     as --lens, each "NAME", "NAME=DIR" or "all"
    weak:    publish the outputs that a lens itself calls weak, too
    rate_hz: a lens looks at most so many times a second at a face; 0 is as often as each says itself
    mesh_points: of the lens "mesh" publish the 478 points too, 28 kB a message
    prompts: sentences to look for, with semicolons between them, or a file of them (.toml, or compiled, .json)
    """

    use: list[str] = []
    weak: bool = False
    rate_hz: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    mesh_points: bool = False
    prompts: str = ""


class DescribeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[describe]: what is seen and heard in words, a sentence for each face.

    enabled:      describe; with the lens of action units, where there is one for the bundle
    period_s:     from one sentence to the next
    transcripts:  what is said in files, .vtt or .srt: "FILE", or "NAME=FILE" for one of several streams
    llm:          folder of a bundle with a text classifier, whose classes are then outputs.text; empty is none
    llm_period_s: from one question to it to the next, for each face; live it may take longer
    """

    enabled: bool = False
    period_s: Annotated[float, Meta(ge=0.2, le=60.0)] = 1.0
    transcripts: list[str] = []
    llm: str = ""
    llm_period_s: Annotated[float, Meta(ge=0.2, le=600.0)] = 2.0


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[feed]: how the feed is published.

    bind:            tcp://HOST:PORT (port 0 or * takes any free one) or ipc://PATH
    insecure_bind:   allow an address that other machines can reach without encryption and keys
    server_key:      file with the feed's CURVE key pair; encrypts the feed, needs `allowed_clients`; empty is none
    insecure_key:    take a `server_key` that other users of this machine can read
    allowed_clients: folder with the public keys of those who may subscribe, one `*.key` file each
    high_water_mark: messages that wait for one slow subscriber before further ones are dropped for it
    max_subscribers: so many may be connected at once; further ones are cut off until one has gone
    """

    bind: str = DEFAULT_ADDRESS
    insecure_bind: bool = False
    server_key: str = ""
    insecure_key: bool = False
    allowed_clients: str = ""
    high_water_mark: Annotated[int, Meta(ge=1)] = 1000
    max_subscribers: Annotated[int, Meta(ge=1, le=10_000)] = 256


class ControlSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[control]: who may give commands to the run, and where markers come from.

    bind:            "auto": a local socket that belongs to the feed's address, for this user alone; "off": none; or
                     tcp://HOST:PORT or ipc://PATH, encrypted with the feed's keys where the feed has them
    allowed_clients: folder with the public keys of those who may give commands; empty is all whom the feed lets in
    markers:         further places to take markers from: lsl:NAME, or tcp:PORT of this machine
    """

    bind: str = "auto"
    allowed_clients: str = ""
    markers: list[str] = []


class BaselineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[baseline]: the neutral of each face, against which its values are given too.

    seconds: take it of every face by itself, over so many seconds of good pictures; 0 waits for `ctl baseline start`
    profile: file to keep the baseline of a face that is alone in its stream in, and to take it from the next time
    """

    seconds: Annotated[float, Meta(ge=0.0, le=600.0)] = 0.0
    profile: str = ""


class LslSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[lsl]: outlets of Lab Streaming Layer.

    enabled: offer them
    slots:   faces of each stream that have an outlet; it is there from the start, so that a recorder can be set to it
    rate:    samples per second, with NaN where there is no face; 0 sends each estimate as it comes
    """

    enabled: bool = False
    slots: Annotated[int, Meta(ge=1, le=16)] = 4
    rate: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0


class OscSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[osc]: where Open Sound Control is sent, by UDP.

    address: HOST:PORT of the receiver; empty is none
    faces:   what the number in an address means: "tracks", a face's own number, which is never used again; or "slots",
             places 1, 2, 3, …, of which a new face takes the first that is free
    slots:   how many places there are
    """

    address: str = ""
    faces: Literal["tracks", "slots"] = "tracks"
    slots: Annotated[int, Meta(ge=1, le=64)] = 8


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[mqtt]: the broker that gets the state of each stream and face.

    url:                 mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS; empty is none
    password_file:       file whose first line is the password
    ca_file:             certificates (PEM) by which the broker proves itself; empty is those of the system
    cert_file, key_file: our own certificate and its key (PEM), where the broker asks for one
    prefix:              what all topics begin with
    discovery:           prefix of Home Assistant's discovery; empty is no discovery
    slots:               faces of each stream that have a topic
    rate:                states of a face per second at most; 0 sends each estimate
    """

    url: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    prefix: str = "streamaffect"
    discovery: str = "homeassistant"
    slots: Annotated[int, Meta(ge=1, le=64)] = 1
    rate: Annotated[float, Meta(ge=0.0, le=1000.0)] = 2.0


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[metrics]: counters for Prometheus, and whether the run is alive and ready, over HTTP.

    bind:          HOST:PORT; empty is none
    insecure_bind: allow an address that other machines can reach; --insecure-bind allows it too
    """

    bind: str = ""
    insecure_bind: bool = False


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[web]: the page for a browser.

    bind:       HOST:PORT; empty is none. An address that other machines can reach needs `token_file`
    token_file: file with the word that a browser must know; it is made where it does not exist. Empty is none
    hosts:      further names under which browsers ask for the page, as behind a proxy
    origins:    addresses of other pages, as http://localhost:8000, that may read the values too
    video:      show the picture too: as it is, or with its faces blurred
    """

    bind: str = ""
    token_file: str = ""
    hosts: list[str] = []
    origins: list[str] = []
    video: Literal["off", "plain", "blurred"] = "off"


def _priority(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name.strip(), float(share)
    except ValueError:
        return text, math.nan
