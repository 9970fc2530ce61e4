"""`lens.json`, schema 1: what a lens declares about itself, as `manifest.json` does for a bundle."""

import msgspec

from streamaffect.runtime.manifest import Calibration, GraphSpec, TrainingSpec

SCHEMA = 1
MANIFEST = "lens.json"
FEATURES, MAP, CLIP = "features", "map", "clip"  # inputs that are not heads
VALUES, SPREAD = "values", "spread"  # outputs of a lens's graph
CONTEXT, VALID = "context", "valid"  # of the clip
PICTURE = "picture"  # what a lens without a graph may look at: the face in its frame
GRAPH = "lens"  # the role of its one graph
MAP_KIND = "map"  # whose outputs are cells of the square that the model sees


class LensOutput(msgspec.Struct, frozen=True):
    """One number of a lens.

    label: in words, for people
    weak:  too uncertain to be published unless it is asked for
    """

    name: str
    range: tuple[float, float]
    unit: str = ""
    label: str = ""
    weak: bool = False


class Cost(msgspec.Struct, frozen=True):
    """What a lens costs. ms: per face, on this machine, in one thread."""

    ms: float
    machine: str


class LensManifest(msgspec.Struct, frozen=True):
    """The whole of `lens.json`. Unknown keys are ignored, an unknown `schema` is refused.

    kind:        how it is drawn and exported: "units", "map", "compound", "moments", or any word, as plain numbers
    encoder:     SHA-256 of the frame encoder that the lens was trained on
    inputs:      what its graph reads, by name: "features" (N, D), "map" (N, C, H, W), "clip" (N, C), or a head's name;
                 "context" (N, K, C), the clips up to it and after it, oldest first, and "valid" (N, K) bool,
                 False where there is none
    outputs:     in the order of the graph's output "values" (N, L)
    calibration: of the intervals, by the graph's output "spread" (N, L); None: there are none
    rate_hz:     at most so many times a second and face; 0 is with every estimate
    in_all:      whether "all" means this one too
    limits:      what it cannot do, a sentence each
    """

    schema: int
    name: str
    kind: str
    version: str
    licence: str
    created: str
    encoder: str
    summary: str
    outputs: list[LensOutput]
    graphs: dict[str, GraphSpec]
    training: TrainingSpec
    calibration: Calibration | None = None
    rate_hz: float = 0.0
    in_all: bool = True
    metrics: dict[str, object] = {}
    cost: Cost | None = None
    limits: list[str] = []

    @property
    def label(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what its graph reads."""
        return tuple(spec.name for spec in self.graphs[GRAPH].inputs)
