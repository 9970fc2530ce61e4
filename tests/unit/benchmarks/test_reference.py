"""An estimate in the published way and in ours: as much work as said, and the same numbers."""

from contextlib import closing

import numpy as np
import pytest

from benchmarks.reference import Way, published_way, rolling_way, ways
from streamaffect.affect.estimate import Step
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine


def test_as_many_frames_as_published_go_through_the_clip_encoder_of_the_bundle() -> None:
    published, own = ways(load_bundle())
    assert (published.frames, published.clips * load_bundle().manifest.clip.frames) == (80, 80)
    assert (own.frames, own.clips) == (40, 5)


def test_both_ways_give_the_same_numbers() -> None:
    bundle = load_bundle()
    length, context, size = bundle.manifest.clip.frames, bundle.manifest.context.clips, bundle.manifest.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (length * context + 2, size, size, 3), np.uint8)
    with closing(OnnxRuntimeEngine(bundle)) as engine:
        ours = rolling_way(bundle, engine, crops)  # which has seen all but the last two already
        published = published_way(Way("", length * context, context), bundle, engine, crops[1:])
        step, expected = ours(), published()
    assert isinstance(step, Step)
    assert isinstance(expected, dict)
    for name, values in step.predictions[0].heads.items():
        assert values == pytest.approx(expected[name][0], abs=1e-5), name
