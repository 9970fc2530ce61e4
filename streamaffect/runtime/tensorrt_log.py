"""What TensorRT says, as one line for the user: left to itself it prints a page for every refusal."""

import re
from typing import Any

# Within a message of several lines: "ITensor::getDimensions: Error Code 4: API Usage Error (resh: first input has type
# UInt8 but must have type Float, … In checkType at /_src/optimizer/common/nodeBase.cpp:456)"
_PLACE = re.compile(r"\s*In \w+ at \S+$")
_NO_REASON = {"", "false"}  # of an operator that the parser does not know, or not in this form
LONGEST = 300


def make_logger(trt: Any) -> Any:
    """A logger of TensorRT that prints nothing and keeps the last error, `last_error`."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        """The class is made here because its base is in a library that may not be installed."""

        def __init__(self) -> None:
            super().__init__()
            self.last_error = ""

        def log(self, severity: Any, message: str) -> None:
            """Called by TensorRT."""
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last_error = _one_line(message)

    return Logger()


def refusal(parser: Any) -> str:
    """Why a parser took no graph: the node that it stopped at, and what is wrong with it."""
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    if not errors:
        return "it gives no reason"
    first = errors[0]
    operator, node = str(first.node_operator()), str(first.node_name())
    reason = _about(node, str(first.desc()))
    if reason in _NO_REASON or "Plugin not found" in reason:
        reason = "this operator is not supported"
    return f"{operator} {node}: {reason}" if node else f"{operator}: {reason}"


def _about(node: str, message: str) -> str:
    """What a message says of a node, where it names it; else its last line."""
    for line in message.splitlines():
        _, found, reason = line.partition(f"({node}: ")
        if found:
            return _PLACE.sub("", reason.strip().removesuffix(")"))[:LONGEST]
    return _one_line(message)


def _one_line(message: str) -> str:
    """The reason that an error gives in brackets, without the place in TensorRT's source; else its last line."""
    lines = message.strip().splitlines()
    last = lines[-1].strip() if lines else ""
    _, found, reason = last.partition("Error (")
    return (_PLACE.sub("", reason.removesuffix(")")) if found else last)[:LONGEST]
