"""ONNX graphs in torch give ONNX Runtime's numbers, and gradients."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from streamaffect.runtime.bundle import default_bundle_path
from tests.support import bundles
from train.errors import TrainingError
from train.methods.subject_msda.personal.differentiable_graph import DifferentiableGraph

SHIPPED = default_bundle_path()


def drawn(file: Path, rows: int) -> dict[str, np.ndarray]:
    """Random values for every input of a graph; of each row of a mask, the last is True."""
    random = np.random.default_rng(3)
    inputs = {}
    for spec in onnxruntime.InferenceSession(file).get_inputs():
        shape = [rows if isinstance(size, str) else size for size in spec.shape]
        if spec.type == "tensor(bool)":
            inputs[spec.name] = random.random(shape) < 0.5
            inputs[spec.name][:, -1] = True
        else:
            inputs[spec.name] = random.normal(size=shape).astype(np.float32)
    return inputs


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """Heads and clip encoders: the shipped ones, and those of a small bundle."""
    small = bundles.write_bundle(tmp_path / "small")
    return {
        f"{name} {role}": folder / f"{role}.onnx"
        for name, folder in (("shipped", SHIPPED), ("small", small))
        for role in ("clip_encoder", "context_head")
    }


@pytest.mark.parametrize(
    "name", ["shipped clip_encoder", "shipped context_head", "small clip_encoder", "small context_head"]
)
def test_the_numbers_are_those_of_onnx_runtime(made: dict[str, Path], name: str) -> None:
    inputs = drawn(made[name], rows=5)
    session = onnxruntime.InferenceSession(made[name])
    expected = dict(zip([one.name for one in session.get_outputs()], session.run(None, inputs), strict=True))
    found = DifferentiableGraph(made[name])({key: torch.from_numpy(value) for key, value in inputs.items()})
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key].numpy(), value, atol=2e-5)


@pytest.mark.parametrize("sizes", [None, [1, 3, 3]])
def test_a_split_gives_all_its_parts(tmp_path: Path, sizes: list[int] | None) -> None:
    inputs = ["x"] if sizes is None else ["x", "sizes"]
    number: dict[str, Any] = {"num_outputs": 3} if sizes is None else {}
    nodes = [
        helper.make_node("Split", inputs, ["a", "b", "c"], axis=1, **number),
        helper.make_node("Concat", ["c", "a", "b"], ["out"], axis=1),
    ]
    constants = [] if sizes is None else [helper.make_tensor("sizes", TensorProto.INT64, [3], sizes)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 7]) for name in ("x", "out")]
    model = helper.make_model(
        helper.make_graph(nodes, "split", ends[:1], ends[1:], constants),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=10,
    )  # fmt: skip
    onnx.save(model, tmp_path / "split.onnx")
    x = torch.arange(14.0).reshape(2, 7)
    (expected,) = onnxruntime.InferenceSession(tmp_path / "split.onnx").run(None, {"x": x.numpy()})
    assert torch.equal(DifferentiableGraph(tmp_path / "split.onnx")({"x": x})["out"], torch.from_numpy(expected))


def test_gradients_agree_with_finite_differences(made: dict[str, Path]) -> None:
    graph = DifferentiableGraph(made["shipped context_head"])
    inputs = {key: torch.from_numpy(value) for key, value in drawn(made["shipped context_head"], rows=1).items()}
    clip = inputs["clip"].requires_grad_()
    (gradient,) = torch.autograd.grad(graph(inputs)["affect"][0, 0], clip)
    direction = gradient / gradient.norm()
    step = 1e-2
    with torch.no_grad():
        ends = [graph(inputs | {"clip": clip + sign * step * direction})["affect"][0, 0] for sign in (1, -1)]
    assert float(ends[0] - ends[1]) / (2 * step) == pytest.approx(float(gradient.norm()), rel=0.05)


def test_an_operator_without_a_gradient_here_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Erf", ["clip"], ["affect"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in ("clip", "affect")]
    file = tmp_path / "head.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "head", tensors[:1], tensors[1:])), file)
    with pytest.raises(TrainingError, match=r"head\.onnx: no gradient is known here for the operator Erf"):
        DifferentiableGraph(file)
