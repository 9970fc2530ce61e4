"""A bundle of the size of Foteinopoulou & Patras (2022) with random weights, to build, verify and measure engines with.

ResNet-50 on 224 × 224 crops, 2048 features, clips of 16 frames, five clips of context. It says nothing about faces.

    python benchmarks/methods/paper_size_bundle.py paper-size && python -m engines build paper-size
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    ClipSpec,
    ContextSpec,
    CropSpec,
)
from train.bundle.declared import Declared, affect_head
from train.bundle.graphs import TracedGraph, crop_examples, feature_examples, head_examples
from train.bundle.writer import write_bundle
from train.models.relational import ClipEncoder, ContextHead

SIZE, FRAMES, CONTEXT = 224, 16, 5
DEPTHS, WIDTH = (3, 4, 6, 3), 64


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
    """crops (N, S, S, 3) uint8 → features (N, 32 × width), 2048 in the paper."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.dim = 32 * width
        stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        blocks: list[nn.Module] = []
        channels = width
        for stage, depth in enumerate(DEPTHS):
            for index in range(depth):
                blocks.append(Bottleneck(channels, width << stage, stride=2 if stage and index == 0 else 1))
                channels = 4 * (width << stage)
        self.layers = nn.Sequential(*stem, *blocks)

    def forward(self, crops: Tensor) -> Tensor:
        """Scale to about mean 0 and deviation 1, then convolve and average."""
        pictures = (crops.float().permute(0, 3, 1, 2) - 127.5) / 64.0
        features: Tensor = self.layers(pictures).mean(dim=(2, 3))
        return features


class Head(nn.Module):
    """Valence and arousal in [-1, 1]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.head = ContextHead(dim, 2)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """clip (N, C), context (N, K, C), valid (N, K) → (N, 2)."""
        out: Tensor = self.head(clip, context, valid)
        return torch.tanh(out)


def write_paper_size(folder: Path, *, size: int = SIZE, width: int = WIDTH, clip_layers: int = 2) -> Path:
    """Write the bundle to `folder`. For tests smaller ones: size of the crops, channels, layers of the transformer."""
    torch.manual_seed(0)
    encoder, crops = ResNet50(width), torch.randint(0, 256, (4, size, size, 3), dtype=torch.uint8)
    with torch.no_grad():
        for _ in range(20):
            encoder(crops)  # in training mode: the normalisations learn the scale of random weights
    context = ContextSpec(CONTEXT - 1, 0)
    dim = encoder.dim
    clips = ClipEncoder(dim, positions=FRAMES, layers=clip_layers)
    graphs = {
        FRAME_ENCODER: TracedGraph(encoder, crop_examples(size), ["features"]),
        CLIP_ENCODER: TracedGraph(clips, feature_examples(FRAMES, dim), ["clip"]),
        CONTEXT_HEAD: TracedGraph(Head(dim), head_examples(dim, context), ["affect"]),
    }
    declared = Declared(
        name="paper-size", version="0", licence="Apache-2.0", seed=0, data=[], recipe="random weights",
        crop=CropSpec(size, 0.1, "roll"), clip=ClipSpec(FRAMES, 0.08), context=context, heads=[affect_head()],
        metrics={},
    )  # fmt: skip
    write_bundle(graphs, declared.manifest, folder)
    return folder


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    folder: Path = parser.parse_args().folder
    if folder.exists():
        parser.error(f"{folder} exists; name a new folder")
    write_paper_size(folder)


if __name__ == "__main__":
    main()
