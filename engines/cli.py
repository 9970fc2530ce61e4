"""The command line of the engine tool: build, verify, bench, inspect, clean. Only what parses is imported here."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TypeAlias

from streamaffect.errors import StreamAffectError

EXIT_OK, EXIT_REFUSED, EXIT_USER, EXIT_INTERRUPTED = 0, 1, 2, 130
BACKENDS = ("auto", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime")
PRECISIONS = ("auto", "fp32", "fp16", "bf16", "int8")

OVERVIEW = """\
A bundle runs everywhere in ONNX Runtime fp32. This tool makes faster engines of it for this very machine, proves that
they give the same answers, and measures them. `streamaffect run --engine auto` then takes the fastest that passed.

  engines build                         all that this machine can build, verified and measured
  engines build --backend openvino      only this backend's
  engines inspect                       what is in the model and in the cache
  engines bench --plot times.svg        all engines side by side

Engines live in $STREAMAFFECT_CACHE (default ~/.cache/streamaffect/engines), one folder per bundle, backend, version,
precision and processor. They are never taken from anywhere else.
"""

BUILD_HELP = """\
Precisions: fp32 everywhere; bf16 (openvino, on processors that have it); fp16 (tensorrt, tensorrt_rtx); int8 (all),
whose ranges are measured on crops of the shipped demo clip, or of your own videos and pictures with --calibration.
Calibrate on material like yours: other faces, other light.

An engine is only taken by `auto` once it is verified: the same held-out clips run through it and through ONNX Runtime
fp32, and every published number must stay within 0.005 in CCC and 2.5 % of its range in p99.

  engines build --backend tensorrt_rtx --target 8.6,8.9,12.0 --out plans

builds for machines with such cards on one without a GPU. Copy the folders in plans into the engine cache of each, then
run `engines verify` and `engines bench` there.
"""


Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0; 1 where an engine was refused; 2 for a user's mistake, said in one line; 130 stopped."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _dispatch(options)
    except StreamAffectError as error:
        sys.stderr.write(f"engines: {error}\n")
        return EXIT_USER
    except KeyboardInterrupt:
        sys.stderr.write("engines: stopped; nothing unfinished is left in the cache\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_OK


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _dispatch(options: argparse.Namespace) -> int:
    from . import verbs

    match options.verb:
        case "build":
            return verbs.build(options)
        case "verify":
            return verbs.verify(options)
        case "bench":
            return verbs.bench(options)
        case "inspect":
            return verbs.inspect(options)
        case _:
            return verbs.clean(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="engines", description=OVERVIEW, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_build(_verb(verbs, "build", "build engines, verify and measure them", BUILD_HELP))
    _add_verify(_verb(verbs, "verify", "compare the engines of the cache with ONNX Runtime fp32 again"))
    _add_bench(_verb(verbs, "bench", "measure the engines of the cache side by side"))
    _add_inspect(_verb(verbs, "inspect", "what is in a model and in the cache"))
    _add_clean(_verb(verbs, "clean", "delete engines that do not fit this machine any more, or all"))
    return parser


def _verb(verbs: Verbs, name: str, summary: str, more: str = "") -> argparse.ArgumentParser:
    return verbs.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{more}".strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE", help="its folder (default: the shipped one)")


def _add_clips(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="PATH",
        help="folder of videos and pictures, or one file: one half calibrates int8, the other is what is compared "
        "(default: the shipped demo clip)",
    )


def _add_build(parser: argparse.ArgumentParser) -> None:
    _add_bundle(parser)
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: all that are installed")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="default: all that the backend has")
    parser.add_argument(
        "--max-batch",
        type=_positive,
        default=8,
        metavar="B",
        help="faces that a TensorRT engine takes at once; the other backends take any number (default: %(default)s)",
    )
    parser.add_argument(
        "--target", metavar="X.Y,X.Y", help="compute capabilities to build for ahead of time, without a GPU"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where engines for --target go (default: the engine cache)"
    )
    _add_clips(parser)
    parser.add_argument("--rebuild", action="store_true", help="build again what is in the cache already")
    parser.add_argument("--json", action="store_true", help="print the records and reports as JSON")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_bundle(parser)
    _add_clips(parser)
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    _add_bundle(parser)
    parser.add_argument("--batches", type=_positives, default=[1, 4, 8], metavar="N,N", help="default: 1,4,8")
    parser.add_argument("--threads", type=_positives, default=[1, 2], metavar="N,N", help="default: 1,2")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=2.0,
        metavar="X",
        help="for one graph at one batch size, shared by all engines (default: %(default)s)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the times as SVG")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    _add_bundle(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_clean(parser: argparse.ArgumentParser) -> None:
    _add_bundle(parser)
    parser.add_argument("--all", action="store_true", help="every engine of every bundle")


def _positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1024")
    return value


def _positives(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600")
    return value
