from pathlib import Path

import numpy as np
import onnx
from onnxruntime import InferenceSession

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import FRAME_ENCODER
from tests.support.bundles import frame_encoder
from train.bundle.spatial_map import publish_map


def test_the_map_is_a_further_output_and_the_features_keep_their_bits(tmp_path: Path) -> None:
    shipped = onnx.load(load_bundle().graph_path(FRAME_ENCODER))
    for node in shipped.graph.node:  # as it was before it had a map
        for names in (node.input, node.output):
            names[:] = ["before" if name == "map" else name for name in names]
    del shipped.graph.output[1:]
    bare, with_map = tmp_path / "bare.onnx", tmp_path / "map.onnx"
    for file in (bare, with_map):
        onnx.save(shipped, file)
    assert publish_map(with_map)
    crops = {"crops": np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)}
    (features,) = InferenceSession(bare).run(None, crops)
    again, maps = InferenceSession(with_map).run(["features", "map"], crops)
    assert maps.shape == (3, 128, 8, 8)
    assert (maps >= 0).all()
    assert maps.std() > 0
    np.testing.assert_array_equal(again, features)


def test_an_encoder_without_such_features_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "flat.onnx"
    onnx.save(frame_encoder(32), file)
    before = file.read_bytes()
    assert not publish_map(file)
    assert file.read_bytes() == before
