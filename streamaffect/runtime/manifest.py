"""`manifest.json`, schema 1: what a bundle declares about itself. The only interface between training and running."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from streamaffect.errors import BundleError

SCHEMA = 1
FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD = "frame_encoder", "clip_encoder", "context_head"
ROLES = (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD)
# Of bundles that can also hear.
AUDIO_ENCODER, FUSION_HEAD = "audio_encoder", "fusion_head"

T = TypeVar("T", bound=msgspec.Struct)

HeadKind = Literal["regression", "classification", "embedding", "map"]
HeadInput = Literal["frame", "clip", "context"]


class CropSpec(msgspec.Struct, frozen=True):
    """How a face is cut: `size` pixels square, with a margin on each side, as a share of the box's longer side.

    align: "roll" turns the picture so that the eyes are level, "none" keeps it upright.
    """

    size: int
    margin: float
    align: Literal["none", "roll"]


class ClipSpec(msgspec.Struct, frozen=True):
    """A clip: `frames` features, one each `period_s` seconds."""

    frames: int
    period_s: float

    @property
    def length_s(self) -> float:
        """Seconds from the end of one clip to the end of the next one in the context."""
        return self.frames * self.period_s


class ContextSpec(msgspec.Struct, frozen=True):
    """How many clips before and after the query clip the context holds; the query clip is always part of it."""

    past: int
    future: int

    @property
    def clips(self) -> int:
        """K = past + 1 + future."""
        return self.past + 1 + self.future


class OutputSpec(msgspec.Struct, frozen=True):
    """One number of a head."""

    name: str
    range: tuple[float, float]
    unit: str = ""


class Calibration(msgspec.Struct, frozen=True):
    """Normalised conformal intervals: value ± quantile · spread, clipped to the output's range.

    level:     the share of true values that the interval holds on exchangeable data, e.g. 0.9
    spread:    the head that estimates the size of the error, with one positive output per output of this head, by name
    quantiles: the conformal quantile of |error| / spread on held-out data, per output
    still_quantiles: the same for stills (`analyze_image`); None: as in a stream
    """

    method: Literal["normalised-conformal"]
    level: float
    spread: str
    quantiles: dict[str, float]
    still_quantiles: dict[str, float] | None = None


class HeadSpec(msgspec.Struct, frozen=True):
    """One output of the head graph. A classification head gives probabilities that sum to 1."""

    name: str
    kind: HeadKind
    outputs: list[OutputSpec]
    input: HeadInput = "context"
    calibration: Calibration | None = None


class TensorSpec(msgspec.Struct, frozen=True):
    """A graph's input or output; a dynamic axis is its name, e.g. ["N", 64, 64, 3]."""

    name: str
    shape: list[int | str]
    dtype: str


class VariantSpec(msgspec.Struct, frozen=True):
    """A graph's twin in another precision, such as int8; a reader passes over those that it does not know."""

    precision: str
    file: str
    sha256: str


class GraphSpec(msgspec.Struct, frozen=True):
    """One ONNX file of the bundle. variants: its twins, which run in its place where they prove right and faster."""

    file: str
    sha256: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    variants: list[VariantSpec] = []


class Limit(msgspec.Struct, frozen=True):
    """How far a variant's output may be from that of fp32 on the probe crops: |Δ| on average, and of any of them."""

    mean: float
    max: float


class ProbeSpec(msgspec.Struct, frozen=True):
    """Crops to try variants with, and what the fp32 graphs say of them, in a file of the bundle.

    limits: by head and output
    """

    file: str
    sha256: str
    limits: dict[str, dict[str, Limit]]


class TrainingSpec(msgspec.Struct, frozen=True):
    """Where the weights came from."""

    recipe: str
    data: list[str]
    commit: str
    seed: int


class AbstainSpec(msgspec.Struct, frozen=True):
    """Below this overall quality of a crop (see `streamaffect.types.Quality`) no value is published."""

    quality: float


class LogMelSpec(msgspec.Struct, frozen=True):
    """The log-mel spectrogram inside `audio_encoder`: for information, the graph takes plain samples.

    bands: of mel; fft, window, hop: in samples; mean_db, deviation_db: of the standardisation
    """

    bands: int
    fft: int
    window: int
    hop: int
    mean_db: float
    deviation_db: float


class SoundSpec(msgspec.Struct, frozen=True):
    """What `audio_encoder` hears of a clip: one channel of `samples` samples in [-1, 1] that ends with the clip.

    Where the sound has only just begun, zeros come first.
    """

    rate_hz: int
    samples: int
    log_mel: LogMelSpec


class Manifest(msgspec.Struct, frozen=True):
    """The whole of `manifest.json`. Unknown keys are ignored, an unknown `schema` is refused."""

    schema: int
    name: str
    version: str
    licence: str
    created: str
    crop: CropSpec
    clip: ClipSpec
    context: ContextSpec
    heads: list[HeadSpec]
    graphs: dict[str, GraphSpec]
    training: TrainingSpec
    metrics: dict[str, object] = {}
    abstain: AbstainSpec | None = None
    sound: SoundSpec | None = None
    probe: ProbeSpec | None = None

    @property
    def label(self) -> str:
        """name@version, as it stands in every estimate."""
        return f"{self.name}@{self.version}"

    @property
    def published_heads(self) -> list[HeadSpec]:
        """The heads whose numbers are published: all but those that only serve as the spread of another one."""
        spreads = {head.calibration.spread for head in self.heads if head.calibration}
        return [head for head in self.heads if head.name not in spreads]

    def head(self, name: str) -> HeadSpec | None:
        """The head of that name, or None."""
        return next((head for head in self.heads if head.name == name), None)


def decode_listing(
    file: Path, raw: bytes, kind: type[T], *, schema: int, remedy: str, refusal: type[BundleError] = BundleError
) -> T:
    """What a file of JSON with a number of its schema says, a manifest or one like it; raises `refusal`."""
    try:
        content: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(f"{file}: not JSON ({error}); {remedy}") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise refusal(f"{file}: schema is {found!r}, this version reads {schema}; update streamaffect or {remedy}")
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise refusal(f"{file}: {error}; {remedy}") from None
