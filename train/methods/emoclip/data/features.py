"""Videos to CLIP embeddings of their frames, kept on disk in chunks: an interrupted run goes on with the next chunk."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from streamaffect.types import ImageArray

from ....loop.progress import Progress
from ..clip_towers import ClipTowers

CHUNK = 32  # videos
BATCH = 64  # frames

Reader = Callable[[int], ImageArray]


def encode_videos(
    towers: ClipTowers, names: Sequence[str], read: Reader, folder: Path, *, origin: str, progress: Progress
) -> list[Tensor]:
    """The embeddings of each video's frames, (L, D) float32 each; L is 0 where `read` gave no crops.

    read:   number of a video → its crops (L, S, S, 3) uint8 RGB
    origin: names everything that the embeddings depend on; chunks of another origin are made anew
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(names), CHUNK)
    progress.start(f"frames of {folder.name}", len(names), 0)
    found: list[Tensor] = []
    for start in starts:
        rows = range(start, min(start + CHUNK, len(names)))
        file = folder / f"chunk-{start // CHUNK:05d}.safetensors"
        stamp = f"{origin} {zlib.crc32(' '.join(names[row] for row in rows).encode()):08x}"
        if _origin(file) != stamp:
            _write(file, [embed_crops(towers, read(row)) for row in rows], stamp)
        chunk = load_file(file)
        found += [part.float() for part in torch.split(chunk["frames"], chunk["lengths"].tolist())]
        progress.advance(rows.stop)
    return found


@torch.no_grad()
def embed_crops(towers: ClipTowers, crops: ImageArray) -> Tensor:
    """(L, S, S, 3) uint8 RGB → (L, D) float32 on the CPU."""
    device = towers.logit_scale.device
    batches = torch.split(torch.from_numpy(np.ascontiguousarray(crops)), BATCH)
    embedded = [towers(batch.to(device)).float().cpu() for batch in batches if len(batch)]
    return torch.cat(embedded) if embedded else torch.zeros(0, towers.dim)


def embed_sentences(towers: ClipTowers, sentences: Sequence[str]) -> Tensor:
    """M sentences → (M, D) float32 on the CPU, of length 1."""
    parts = [towers.sentences(sentences[start : start + BATCH]) for start in range(0, len(sentences), BATCH)]
    return torch.nn.functional.normalize(torch.cat(parts).float().cpu(), dim=1)


def embed_classes(towers: ClipTowers, sentences: Mapping[str, list[str]]) -> Tensor:
    """One embedding for each class: the mean of its sentences' unit embeddings, again of length 1: (K, D)."""
    means = [embed_sentences(towers, own).mean(dim=0) for own in sentences.values()]
    return torch.nn.functional.normalize(torch.stack(means), dim=1)


def _origin(file: Path) -> str | None:
    if not file.exists():
        return None
    with safe_open(file, framework="pt") as opened:
        return (opened.metadata() or {}).get("origin")


def _write(file: Path, embedded: list[Tensor], origin: str) -> None:
    partial = file.with_name(f".{file.name}.partial")
    lengths = torch.tensor([len(part) for part in embedded])
    save_file({"frames": torch.cat(embedded).half(), "lengths": lengths}, partial, metadata={"origin": origin})
    partial.replace(file)
