"""Real occlusion of many crops, in several processes. What is done is kept, so that an interrupted run goes on.

A file is named by the bundle and the pixels that it speaks of, and so can't be that of others.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from streamaffect.affect.occlusion import Occluder
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray, ImageArray

AT_ONCE = 32  # crops a file
Work = tuple[Path, str, ImageArray]  # file, the bundle's folder or "", crops


@dataclass(frozen=True, slots=True)
class Occluded:
    """probabilities: (N, 8) of the crops as they are; drop: (N, 8, 8), as `Occlusion.drop`; float32 both."""

    probabilities: FloatArray
    drop: FloatArray


def occluded(
    crops: ImageArray, folder: Path, *, bundle: str, on_done: Callable[[int], None], processes: int | None = None
) -> Occluded:
    """Real occlusion of crops (N, S, S, 3), read from `folder` where it was done before.

    bundle: its folder, "" for the shipped one; on_done: gets how many of the crops are done
    processes: one per processor by default
    """
    label = load_bundle(bundle or None).sha256
    parts = [crops[start : start + AT_ONCE] for start in range(0, len(crops), AT_ONCE)]
    files = [folder / f"{_digest(label, part)}.npz" for part in parts]
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(file, bundle, part) for file, part in zip(files, parts, strict=True) if not file.exists()]
    done = len(crops) - sum(len(part) for _, _, part in missing)
    on_done(done)
    for count in _attempts(missing, processes or os.cpu_count() or 1):
        done += count
        on_done(done)
    found = [_read(file) for file in files]
    return Occluded(np.concatenate([one.probabilities for one in found]), np.concatenate([one.drop for one in found]))


def _attempts(work: Sequence[Work], processes: int) -> Iterator[int]:
    if min(processes, len(work)) <= 1:
        yield from map(_occlude, work)
        return
    # A fork would inherit the threads of whatever was used before.
    with ProcessPoolExecutor(min(processes, len(work)), mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(_occlude, one) for one in work]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _occlude(work: Work) -> int:
    file, bundle, crops = work
    looks = [_occluder(bundle).look(crop) for crop in crops]
    unfinished = file.with_suffix(".partial.npz")
    np.savez(unfinished, probabilities=[one.probabilities for one in looks], drop=[one.drop for one in looks])
    unfinished.replace(file)
    return len(crops)


@cache
def _occluder(bundle: str) -> Occluder:
    loaded = load_bundle(bundle or None)
    return Occluder(loaded, OnnxRuntimeEngine(loaded))


def _digest(label: str, crops: ImageArray) -> str:
    return hashlib.sha256(label.encode() + crops.tobytes()).hexdigest()[:24]


def _read(file: Path) -> Occluded:
    with np.load(file, allow_pickle=False) as arrays:
        return Occluded(arrays["probabilities"].astype(np.float32), arrays["drop"].astype(np.float32))
