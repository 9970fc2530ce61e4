"""A bundle of the size of Foteinopoulou & Patras (2022) with random weights, to build, verify and measure engines with.

ResNet-50 on 224 × 224 crops, 2048 features, clips of 16 frames, five clips of context. It says nothing about faces.

    python benchmarks/paper_size_bundle.py paper-size && python -m engines build paper-size
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import hashlib
import warnings

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    SCHEMA,
    ClipSpec,
    ContextSpec,
    CropSpec,
    GraphSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
    TrainingSpec,
)
from streamaffect.runtime.onnx_file import read_signature
from train.models.relational import ClipEncoder, ContextHead

SIZE, FRAMES, CONTEXT, DIM = 224, 16, 5, 2048
DEPTHS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 convolutions beside a shortcut (He et al. 2016, with the stride in the middle)."""

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H / stride, W / stride)."""
        return F.relu(self.inner(maps) + self.shortcut(maps))


class ResNet50(nn.Module):
    """crops (N, S, S, 3) uint8 → features (N, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        blocks: list[nn.Module] = []
        channels = 64
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            for index in range(depth):
                blocks.append(Bottleneck(channels, width, stride=2 if stage and index == 0 else 1))
                channels = 4 * width
        self.layers = nn.Sequential(*stem, *blocks)

    def forward(self, crops: Tensor) -> Tensor:
        """Scale to about mean 0 and deviation 1, then convolve and average."""
        pictures = (crops.float().permute(0, 3, 1, 2) - 127.5) / 64.0
        features: Tensor = self.layers(pictures).mean(dim=(2, 3))
        return features


class Head(nn.Module):
    """Valence and arousal in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.head = ContextHead(DIM, 2)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """clip (N, C), context (N, K, C), valid (N, K) → (N, 2)."""
        out: Tensor = self.head(clip, context, valid)
        return torch.tanh(out)


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    crops = torch.randint(0, 256, (4, SIZE, SIZE, 3), dtype=torch.uint8)
    encoder = ResNet50()
    with torch.no_grad():
        for _ in range(20):
            encoder(crops)  # in training mode: the normalisations learn the scale of random weights
    context = torch.randn(2, CONTEXT, DIM)
    valid = torch.ones(2, CONTEXT, dtype=torch.bool)
    modules: dict[str, tuple[nn.Module, dict[str, Tensor], str]] = {
        FRAME_ENCODER: (encoder, {"crops": crops[:2]}, "features"),
        CLIP_ENCODER: (ClipEncoder(DIM, positions=FRAMES), {"features": torch.randn(2, FRAMES, DIM)}, "clip"),
        CONTEXT_HEAD: (Head(), {"clip": context[:, -1], "context": context, "valid": valid}, "affect"),
    }
    graphs = {role: export(folder / f"{role}.onnx", *parts) for role, parts in modules.items()}
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(make_manifest(graphs))))


def export(file: Path, module: nn.Module, inputs: dict[str, Tensor], output: str) -> GraphSpec:
    """One graph with a dynamic batch."""
    rows = torch.export.Dim("N", min=1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), tuple(tensor.contiguous() for tensor in inputs.values()), file, dynamo=True,
            opset_version=18, external_data=False, verbose=False, input_names=list(inputs), output_names=[output],
            dynamic_shapes=tuple({0: rows} for _ in inputs),
        )  # fmt: skip
    signature = read_signature(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return GraphSpec(file.name, digest, signature.inputs, signature.outputs, signature.opset)


def make_manifest(graphs: dict[str, GraphSpec]) -> Manifest:
    """One head, uncalibrated."""
    outputs = [OutputSpec("valence", (-1.0, 1.0)), OutputSpec("arousal", (-1.0, 1.0))]
    return Manifest(
        schema=SCHEMA, name="paper-size", version="0", licence="Apache-2.0", created="", heads=[
            HeadSpec("affect", "regression", outputs)
        ],
        crop=CropSpec(SIZE, 0.1, "roll"), clip=ClipSpec(FRAMES, 0.08), context=ContextSpec(CONTEXT - 1, 0),
        graphs=graphs, training=TrainingSpec("random weights", [], "", 0),
    )  # fmt: skip


if __name__ == "__main__":
    main()
