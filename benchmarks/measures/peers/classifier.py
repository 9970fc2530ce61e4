"""A classifier of the size of EfficientNet-B0 (Tan & Le 2019) with random weights: its speed is real, it sees nothing.

The networks that people use are downloaded from places that not every machine reaches; how fast one is depends on its
shape alone. Batch normalisations are folded into the convolutions, as exporters leave them.

    python -m benchmarks.measures.peers.classifier CLASSIFIER.onnx
"""

import sys
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES, STEM, LAST = 224, 8, 32, 1280


class Stage(NamedTuple):
    """Blocks of one shape; the first of them has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)


class Builder:
    """Adds operators one after another; each returns the name of what it gives."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Any operator with one output."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def convolution(self, maps: str, inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1) -> str:
        """With a bias, padded to keep the size."""
        return self._convolved(maps, (outputs, inputs, kernel, kernel), stride, groups=1)

    def depthwise(self, maps: str, channels: int, *, kernel: int, stride: int) -> str:
        """Each channel by itself."""
        return self._convolved(maps, (channels, 1, kernel, kernel), stride, groups=channels)

    def swish(self, maps: str) -> str:
        """x · sigmoid(x)."""
        return self.op("Mul", maps, self.op("Sigmoid", maps))

    def block(self, maps: str, inputs: int, stage: Stage, stride: int) -> str:
        """Expand, convolve each channel, squeeze and excite, project; a shortcut where the shape stays."""
        wide, outputs = inputs * stage.expansion, stage.channels
        inner = maps if wide == inputs else self.swish(self.convolution(maps, inputs, wide))
        inner = self.swish(self.depthwise(inner, wide, kernel=stage.kernel, stride=stride))
        squeezed = self.op("GlobalAveragePool", inner)
        narrow = max(1, inputs // 4)
        excited = self.convolution(self.swish(self.convolution(squeezed, wide, narrow)), narrow, wide)
        inner = self.convolution(self.op("Mul", inner, self.op("Sigmoid", excited)), wide, outputs)
        return self.op("Add", inner, maps) if stride == 1 and inputs == outputs else inner

    def _convolved(self, maps: str, shape: tuple[int, int, int, int], stride: int, groups: int) -> str:
        outputs, inputs, kernel, _ = shape
        scale = np.float32(np.sqrt(2 / (inputs * kernel * kernel)))  # neither vanishing nor exploding
        weights = self._weights(self._rng.standard_normal(shape, np.float32) * scale)
        bias = self._weights(np.zeros(outputs, np.float32))
        pads = [kernel // 2] * 4
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads}
        return self.op("Conv", maps, weights, bias, group=groups, **sizes)

    def _weights(self, values: np.ndarray) -> str:
        name = f"weights_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name


def efficientnet_b0() -> onnx.ModelProto:
    """picture (1, 3, 224, 224) float32 → emotions (1, 8) float32; 4.0 million weights without the last layer."""
    builder = Builder()
    maps, channels = builder.swish(builder.convolution("picture", 3, STEM, kernel=3, stride=2)), STEM
    for stage in STAGES:
        for index in range(stage.blocks):
            maps = builder.block(maps, channels, stage, stage.stride if index == 0 else 1)
            channels = stage.channels
    maps = builder.op("GlobalAveragePool", builder.swish(builder.convolution(maps, channels, LAST)))
    logits = builder.op("Flatten", builder.convolution(maps, LAST, CLASSES))
    builder.nodes.append(helper.make_node("Softmax", [logits], ["emotions"], axis=1))
    graph = helper.make_graph(
        builder.nodes,
        "efficientnet_b0",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("emotions", TensorProto.FLOAT, [1, CLASSES])],
        builder.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save(efficientnet_b0(), sys.argv[1])
