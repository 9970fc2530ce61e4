"""Streaming equals offline: frame by frame through the estimator, or the whole sequence at once by definition.

The offline side picks samples and contexts with the brute-force oracle and runs each graph once over all of a track.
With features and clips in the memory of a fake GPU, the stream has to give what ONNX Runtime gives offline.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.estimate import Estimator, Observation, Prediction, TrackKey
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.device_clips import DeviceClips
from streamaffect.runtime.engine import Engine, StreamEngine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import BoolArray, FloatArray, ImageArray
from tests.support.bundles import SIZE, write_bundle
from tests.support.clip_oracle import Geometry, OraclePrediction, predictions
from tests.support.gpu.engines import PositionalEngine
from tests.support.gpu.fake_gpu import install, open_fake_engine

TICK_S = 0.001
TOLERANCE = 1e-5

GEOMETRIES = {
    "live": Geometry(frames=4, period=80, past=2, future=0),
    "refined": Geometry(frames=4, period=80, past=2, future=2),
    "single frames": Geometry(frames=1, period=100, past=3, future=1),
    "long clips, no context": Geometry(frames=9, period=50, past=0, future=0),
    "only future": Geometry(frames=3, period=120, past=0, future=3),
}


def on_device(bundle: Bundle) -> StreamEngine:
    """At most two rows in a call, and little room at first: steps are split, and the memory has to grow."""
    return DeviceClips(open_fake_engine(bundle, max_batch=2), bundle, first_rows=4)


ENGINES: dict[str, tuple[Callable[[Bundle], StreamEngine], Callable[[Bundle], Engine]]] = {
    "onnxruntime": (OnnxRuntimeEngine, OnnxRuntimeEngine),
    "positional": (PositionalEngine, PositionalEngine),
    "device clips": (on_device, OnnxRuntimeEngine),
}


@dataclass(frozen=True)
class Seen:
    """A track at one tick; crop None while its face is hidden."""

    key: TrackKey
    tick: int
    crop: ImageArray | None


def make_scene(rng: np.random.Generator, steps: int) -> list[list[Seen]]:
    """Steps of two cameras, whose clocks have nothing to do with each other; tracks come, hide, stay away and go."""
    ticks = {"a": 0, "b": 1_000_000}
    spans = {
        ("a", 0): (0, steps),
        ("a", 1): (steps // 4, steps // 2),
        ("a", 2): (steps // 2, steps),
        ("b", 0): (3, steps - 3),
    }
    hidden_until = dict.fromkeys(spans, -1)
    scene = []
    for step in range(steps):
        for stream in ticks:
            ticks[stream] += int(rng.choice((20, 33, 40, 41, 67, 160, 400), p=(0.1, 0.2, 0.3, 0.2, 0.1, 0.08, 0.02)))
        observed = []
        for key, (first, end) in spans.items():
            if not first <= step < end or rng.random() < 0.05:  # a track that the frame says nothing of
                continue
            if rng.random() < 0.08:
                hidden_until[key] = step + int(rng.integers(1, 15))
            is_hidden = step < hidden_until[key]
            crop = None if is_hidden else rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
            observed.append(Seen(key, ticks[key[0]], crop))
        scene.append([observed[i] for i in rng.permutation(len(observed))])
    return scene


def stream(scene: list[list[Seen]], bundle: Bundle, engine: StreamEngine) -> dict[TrackKey, list[list[Prediction]]]:
    """Frame by frame; per track, what each of its observations led to."""
    estimator = Estimator(bundle, engine)
    made: dict[TrackKey, list[list[Prediction]]] = defaultdict(list)
    for seen in scene:
        step = estimator.step([Observation(one.key, one.tick * TICK_S, one.crop) for one in seen])
        assert [prediction.key for prediction in step.predictions] == [one.key for one in seen]
        found = step.predictions + step.refinements
        for one in seen:
            made[one.key].append([prediction for prediction in found if prediction.key == one.key])
    return made


def offline(
    track: list[Seen], expected: list[OraclePrediction], engine: Engine
) -> dict[tuple[int, int], dict[str, FloatArray]]:
    """The whole track at once: by (step, of), the rows of all heads."""
    crops = {i: one.crop for i, one in enumerate(track) if one.crop is not None}
    row_of = {i: row for row, i in enumerate(crops)}
    features = engine.encode_frames(np.stack(list(crops.values())))  # (N, D)
    with_clip = [(made, made.clip) for made in expected if made.clip is not None and not made.is_refinement]
    clip_row = {made.of: row for row, (made, _) in enumerate(with_clip)}
    vectors = engine.encode_clips(np.stack([features[[row_of[i] for i in clip.features]] for _, clip in with_clip]))
    full = [(made, made.context) for made in expected if made.context is not None]
    contexts: FloatArray = np.stack([vectors[[clip_row[i] for i in context.clips]] for _, context in full])  # (N, K, C)
    valid: BoolArray = np.array([context.valid for _, context in full])
    heads = engine.run_heads(vectors[[clip_row[made.of] for made, _ in full]], contexts, valid)
    return {(made.step, made.of): {name: rows[i] for name, rows in heads.items()} for i, (made, _) in enumerate(full)}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_prediction_equals_the_one_from_the_whole_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, engine_name: str, seed: int
) -> None:
    gpu = install(monkeypatch)
    geometry = GEOMETRIES[name]
    bundle = load_bundle(
        write_bundle(
            tmp_path / "bundle",
            frames=geometry.frames,
            period_s=geometry.period * TICK_S,
            past=geometry.past,
            future=geometry.future,
        )
    )
    make_streaming, make_reference = ENGINES[engine_name]
    streaming, reference = make_streaming(bundle), make_reference(bundle)
    scene = make_scene(np.random.default_rng(seed), steps=160)
    streamed = stream(scene, bundle, streaming)
    streaming.close()
    assert gpu.memory == {}
    assert len(streamed) == 4
    for key, by_step in streamed.items():
        track = [one for seen in scene for one in seen if one.key == key]
        expected = predictions([one.tick for one in track], [one.crop is not None for one in track], geometry)
        rows = offline(track, expected, reference)
        for step, found in enumerate(by_step):
            wanted = [made for made in expected if made.step == step]
            assert [prediction.time_s for prediction in found] == [track[made.of].tick * TICK_S for made in wanted]
            for prediction, made in zip(found, wanted, strict=True):
                check(prediction, made, rows.get((step, made.of), {}), geometry)


def check(prediction: Prediction, made: OraclePrediction, rows: dict[str, FloatArray], geometry: Geometry) -> None:
    lookahead_s = geometry.future * geometry.length * TICK_S if made.is_refinement else 0.0
    assert prediction.lookahead_s == pytest.approx(lookahead_s)
    assert prediction.coverage == pytest.approx(made.clip.coverage if made.clip else 0.0)
    assert prediction.context_fill == pytest.approx(made.context.fill if made.context else 0.0)
    assert prediction.heads.keys() == rows.keys()
    for name, row in rows.items():
        np.testing.assert_allclose(prediction.heads[name], row, atol=TOLERANCE, rtol=0)


def test_the_scenes_show_what_the_test_is_about() -> None:
    """Holes, hidden faces, new starts, refinements, full and missing context: all of them occur."""
    geometry = GEOMETRIES["refined"]
    scene = make_scene(np.random.default_rng(1), steps=160)
    made = []
    for key in (("a", 0), ("b", 0)):
        track = [one for seen in scene for one in seen if one.key == key]
        made += predictions([one.tick for one in track], [one.crop is not None for one in track], geometry)
    contexts = [one.context for one in made if one.context is not None]
    assert sum(one.is_refinement for one in made) > 50
    assert any(context.fill == 1.0 for context in contexts)
    assert any(sum(context.valid) == 1 for context in contexts[50:])
    assert any(one.clip is not None and one.clip.coverage < 0.5 for one in made[50:])
