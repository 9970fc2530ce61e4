"""The recipe of PKDOT."""

from typing import Literal

import msgspec

from ...audiovisual.hearing import HearingConfig
from ...audiovisual.log_mel import PUBLISHED, LogMelConfig
from ...config import Count, OptimiserConfig
from ...data.labelled_clips import AFFECT_LABELS

Task = Literal["classes", "affect"]


class PkdotRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="pkdot"):
    """Everything that defines the run, but for the data's folder.

    data:      "biovid" reads the published `fold` of BioVid, whose privileged modality is a muscle's current; "clips"
               reads `clips.csv` below `--data` and the videos that it names, whose privileged modality is the voice;
               "ferplus" reads FER+, each picture a clip of equal frames, whose privileged modality are the 52
               blendshapes of the same face; "features" reads `train` and `val`, each with `visual` (N, V),
               `privileged` (N, P) and `labels` (N,), or (N, 2) for the task "affect"; "drawn" makes a clear privileged
               and a blurred visual feature
    task:      "classes", by cross-entropy, or "affect", valence and arousal by their concordance
    classes:   their number; class_names: in the bundle, their numbers by default
    bundle:    whose frame and clip encoder are the visual backbone: a folder, "default" for the shipped one, or "" for
               features of another backbone, from which no bundle can be made
    sound:     what a step of "clips" hears. hearing: backbone of the privileged modality, of "biovid" and "clips"
    dim:       D of the fusion, the width of the visual feature by default. heads: of the fusion
    anchors:   k of the structure loss. structure: its weight. blur: of the transport
    answers:   weight of the teacher's answers as soft labels, which PKDOT does without (Hinton et al. 2015, at the
               temperature 2; of the task "affect", squared errors)
    drawn, drawn_dim: samples and P of "drawn"
    version, licence: of the bundle
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "ferplus", "clips", "biovid"]
    optimiser: OptimiserConfig
    task: Task = "classes"
    classes: Count = 2
    class_names: list[str] = []
    bundle: str = ""
    fold: Count = 1
    sound: LogMelConfig = PUBLISHED
    hearing: HearingConfig | None = None
    dim: Count | None = None
    heads: Count = 2
    anchors: Count = 30
    structure: float = 0.6
    blur: float = 0.1
    answers: float = 0.0
    drawn: Count = 600
    drawn_dim: Count = 16
    version: str = "0.1"
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if self.data in ("clips", "biovid") and (self.hearing is None or not self.bundle):
            raise ValueError(f'data = {self.data!r} needs the table [hearing], and `bundle`, such as "default"')
        if self.data == "ferplus" and not self.bundle:
            raise ValueError('data = "ferplus" needs `bundle`, such as "default"')
        fixed = {"clips": "affect", "biovid": "classes", "ferplus": "classes"}.get(self.data, self.task)
        if self.task != fixed:
            raise ValueError(f"data = {self.data!r} has labels for the task {fixed!r}, not {self.task!r}")
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"class_names has {len(self.class_names)} names of {self.classes} classes")

    @property
    def outputs(self) -> int:
        """Numbers that are predicted."""
        return len(AFFECT_LABELS) if self.task == "affect" else self.classes

    @property
    def names(self) -> list[str]:
        """Of the classes."""
        return self.class_names or [str(number) for number in range(self.classes)]
