"""int8 by static quantisation: Q/DQ nodes around the convolutions, scales from the ranges seen on calibration crops.

All backends get the same kind of graph. What differs is the activation type: ONNX Runtime's x86 kernels want unsigned
values with a zero point, OpenVINO and TensorRT symmetric signed ones.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.engine_record import Backend
from streamaffect.types import ImageArray

from .onnx_package import require_onnx

CALIBRATION_CROPS = 192
QUANTISED = ["Conv"]


class _CropReader:
    """Calibration crops one at a time, as ONNX Runtime's calibrator asks for them."""

    def __init__(self, crops: ImageArray) -> None:
        self._crops = iter(crops)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, None at the end."""
        crop = next(self._crops, None)
        return None if crop is None else {"crops": crop[None]}


def write_int8(source: Path, target: Path, crops: ImageArray, backend: Backend) -> int:
    """Quantise the convolutions of a frame encoder, weights per channel; returns how many.

    crops: (M, S, S, 3) uint8 RGB that fix the activations' ranges
    Raises EngineError where the tools are missing or there is nothing to quantise.
    """
    require_onnx()
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    convolutions = sum(node.op_type in QUANTISED for node in onnx.load(source).graph.node)
    if convolutions == 0:
        raise EngineError(f"{source}: has no convolution, so int8 gains nothing; build another precision")
    is_symmetric = backend != "onnxruntime"
    prepared = target.with_suffix(".prepared")
    with _quiet():
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _CropReader(crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            activation_type=QuantType.QInt8 if is_symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # TensorRT takes no quantised bias; the others add theirs in int32.
            extra_options={"ActivationSymmetric": is_symmetric, "QuantizeBias": backend != "tensorrt"},
        )
    prepared.unlink()
    return convolutions


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser gives general advice through the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
