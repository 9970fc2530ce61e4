"""Probe crops: is a variant right on this very processor?

A bundle brings a few face crops and what its fp32 graphs say of each, taken as a still. Kernels of low precision depend
on the processor, some overflow on older ones; so the answers of a variant are held against these before it may run.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.manifest import Limit, Manifest
from streamaffect.runtime.variants.files import REPAIR, read_listed
from streamaffect.types import FloatArray, ImageArray

Answers = Mapping[str, FloatArray]
Deviations = dict[tuple[str, str], Limit]


@dataclass(frozen=True, slots=True)
class Probe:
    """crops: (P, S, S, 3) uint8 RGB; answers: one (P, L) float32 array per head, of the fp32 graphs."""

    crops: ImageArray
    answers: Answers


def pack_probe(probe: Probe) -> bytes:
    """The content of the probe's file, an npz without pickles: the same bytes for the same probe."""
    file = io.BytesIO()
    arrays = {"crops": probe.crops, **{f"head.{name}": answer for name, answer in probe.answers.items()}}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue(), zipfile.ZIP_DEFLATED
            )
    return file.getvalue()


def read_probe(bundle: Bundle) -> Probe:
    """The bundle's own. Raises EngineError where it has none, or one that does not fit."""
    spec = bundle.manifest.probe
    if spec is None:
        raise EngineError(f"{bundle.path}: the bundle has no probe crops to try its variants with; export it again")
    data = read_listed(bundle, spec.file, spec.sha256)
    heads = [head for head in bundle.manifest.heads if head.input == "context"]
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            crops, answers = arrays["crops"], {head.name: arrays[f"head.{head.name}"] for head in heads}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise EngineError(f"{bundle.path / spec.file}: not a file of probe crops ({error}); {REPAIR}") from None
    size = bundle.manifest.crop.size
    fits = crops.dtype == np.uint8 and crops.shape[1:] == (size, size, 3) and len(crops) > 1
    if not fits or any(answers[head.name].shape != (len(crops), len(head.outputs)) for head in heads):
        raise EngineError(
            f"{bundle.path / spec.file}: its arrays do not fit crops of {size} pixels or the heads; {REPAIR}"
        )
    return Probe(crops, answers)


def answer(engine: Engine, manifest: Manifest, crops: ImageArray) -> dict[str, FloatArray]:
    """What an engine says of each crop, as a clip of equal frames without any context: one (P, L) array per head.

    One crop alone and all the others together, since kernels differ with the size of a batch.
    """
    features = np.concatenate([engine.encode_frames(crops[:1]), engine.encode_frames(crops[1:])])
    clip = engine.encode_clips(np.repeat(features[:, None], manifest.clip.frames, axis=1))
    valid = np.zeros((len(crops), manifest.context.clips), np.bool_)
    valid[:, manifest.context.past] = True
    return engine.run_heads(clip, np.repeat(clip[:, None], manifest.context.clips, axis=1), valid)


def deviations(manifest: Manifest, expected: Answers, found: Answers) -> Deviations:
    """|Δ| of every output, by head and output."""
    return {
        (head.name, output.name): _deviation(expected[head.name][:, column], found[head.name][:, column])
        for head in manifest.heads
        if head.input == "context"
        for column, output in enumerate(head.outputs)
    }


def objections(manifest: Manifest, expected: Answers, found: Answers) -> Iterator[str]:
    """One sentence for each output that is too far off, or that has no limit."""
    limits = manifest.probe.limits if manifest.probe else {}
    for (head, output), deviation in deviations(manifest, expected, found).items():
        limit = limits.get(head, {}).get(output)
        if limit is None:
            yield f"{head}.{output} has no limit in the bundle"
        elif not (deviation.max <= limit.max and deviation.mean <= limit.mean):  # NaN is within no limit
            yield (
                f"{head}.{output} is off by {deviation.mean:.4f} on average and {deviation.max:.4f} at most, "
                f"allowed are {limit.mean:.4f} and {limit.max:.4f}"
            )


def _deviation(expected: FloatArray, found: FloatArray) -> Limit:
    difference = np.abs(expected.astype(np.float64) - found)
    return Limit(mean=float(difference.mean()), max=float(difference.max()))
