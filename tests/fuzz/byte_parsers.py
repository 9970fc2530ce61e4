"""What must hold of each parser whatever bytes it is given, for hypothesis and for coverage-guided fuzzing alike.

Each check takes bytes and raises AssertionError, or whatever the parser should not have raised.
"""

from pathlib import Path

from streamaffect.errors import BundleError, RecordingError, StreamAffectError, WireError
from streamaffect.feed import wire
from streamaffect.messages import Event, Health, Meta
from streamaffect.recordings.reading import read_recording
from streamaffect.recordings.replay import Replay
from streamaffect.runtime.bundle import MANIFEST, load_bundle
from streamaffect.runtime.onnx_file import read_signature


def assert_one_line(error: StreamAffectError) -> None:
    """A message can be shown in a terminal: one line, not empty, without control characters."""
    assert str(error)
    assert str(error).isprintable(), repr(str(error))


def check_wire(payload: bytes) -> None:
    """A payload is a WireError, or a message that is the same after it has been sent on."""
    try:
        message = wire.decode(payload)
    except WireError as error:
        assert_one_line(error)
        return
    if message is None:
        assert wire.read_envelope(payload).kind not in wire.KINDS
        return
    try:
        sent = wire.encode(message)
    except WireError as error:
        raise AssertionError(f"{payload!r} is read, and cannot be sent on: {error}") from error
    again = wire.decode(sent)
    assert again is not None
    assert wire.encode(again) == sent
    if isinstance(message, Event | Health | Meta):
        assert type(again) is type(message)


def check_onnx(file: Path, data: bytes) -> None:
    """A graph has a signature of sane types, or a BundleError that names the file."""
    file.write_bytes(data)
    try:
        signature = read_signature(file)
    except BundleError as error:
        assert_one_line(error)
        assert str(file) in str(error)
        return
    assert 0 < signature.opset < 2**70
    for spec in (*signature.inputs, *signature.outputs):
        assert all(isinstance(size, int | str) for size in spec.shape)


def check_manifest(folder: Path, data: bytes) -> None:
    """A folder with this manifest loads, or is a BundleError that names a file of it."""
    (folder / MANIFEST).write_bytes(data)
    check_bundle(folder)


def check_bundle(folder: Path) -> None:
    """A folder loads, or is a BundleError that names it or a file of it; what loads can be asked for all it has."""
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        assert_one_line(error)
        assert str(folder) in str(error)
        return
    assert bundle.manifest.label
    assert bundle.feature_dim >= 0 <= bundle.clip_dim
    assert bundle.manifest.published_heads
    assert all(bundle.graph_path(role).parent == folder for role in bundle.manifest.graphs)


def check_recording(file: Path, data: bytes) -> int:
    """A recording is read to its end, or is a RecordingError that names the file; returns how many messages it has."""
    file.write_bytes(data)
    count = 0
    try:
        Replay(file).metas  # noqa: B018  what a replay says before its first message
        recording = read_recording(file)
        for message in recording:
            wire.encode(message)
            count += 1
    except RecordingError as error:
        assert_one_line(error)
        assert str(file) in str(error)
        return count
    assert recording.bytes_read <= len(data)
    assert recording.complaint is None or recording.complaint.isprintable()
    return count
