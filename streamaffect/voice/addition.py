"""Folders that stand beside a bundle, a voice model's or a fusion's: a manifest with one graph, and how both answer."""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from streamaffect.checked_file import read_checked
from streamaffect.errors import BundleError
from streamaffect.runtime.manifest import GraphSpec, decode_listing
from streamaffect.voice.joint_manifest import FusionManifest
from streamaffect.voice.manifest import VoiceManifest

M = TypeVar("M", VoiceManifest, FusionManifest)


def read_addition(file: Path, kind: type[M], *, schema: int, known: Collection[str], what: str, remedy: str) -> M:
    """The manifest in `file`, what it hears among the features that are `known`; raises BundleError.

    what: what such a folder holds, for people
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror}); {what} is a folder with it") from error
    manifest = decode_listing(file, raw, kind, schema=schema, remedy=remedy)
    if not manifest.features or not set(manifest.features) <= set(known):
        raise BundleError(f"{file}: features are not those that this streamaffect measures; {remedy}")
    return manifest


def read_graph(manifest: Path, graph: GraphSpec, remedy: str) -> bytes:
    """The graph beside a manifest, as it was noted there; raises BundleError."""
    file = manifest.parent / graph.file
    if file.parent != manifest.parent:
        raise BundleError(f"{manifest}: graph.file is {graph.file!r}, expected a file's name")
    return read_checked(file, graph.sha256, noted_by=manifest.name, remedy=remedy, refusal=BundleError)


def around(value: float, half_width: float) -> tuple[float, float]:
    """The interval about a value, within [-1, 1]."""
    return max(-1.0, value - half_width), min(1.0, value + half_width)
