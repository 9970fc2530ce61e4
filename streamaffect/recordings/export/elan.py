"""A recording as an ELAN document (EAF 3.0): tiers with intervals in milliseconds.

For each face there are tiers of its status, its presence, and of valence and arousal, each the mean of a second; for
each stream one of its markers, each until the next one, one for each thing that was away, and one of all other events,
which have no length of their own and are drawn as short intervals. A file is linked as the document's medium.
"""

import xml.etree.ElementTree as ET
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO
from urllib.parse import quote

from streamaffect.recordings.export.episodes import Episode, episodes
from streamaffect.recordings.export.medium import medium_of
from streamaffect.recordings.export.table import Row, Table
from streamaffect.recordings.export.xml_text import xml_text
from streamaffect.recordings.header import RecordingHeader

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
EPOCH = "1970-01-01T00:00:00+00:00"
LINGUISTIC_TYPE = "streamaffect"
WINDOW_MS = 1000
MOMENT_MS = 200
DIMENSIONS = ("valence", "arousal", "valence_relative", "arousal_relative")


@dataclass(frozen=True, slots=True)
class Annotation:
    """An interval of a tier, begin_ms < end_ms, with its text."""

    begin_ms: int
    end_ms: int
    text: str


Tiers = dict[str, list[Annotation]]


def write_elan(file: BinaryIO, table: Table) -> int:
    """Write the document and return the number of annotations."""
    means = _Means()
    found = episodes(table, means.watch(table.rows))
    tiers = _tiers(found) | means.tiers()
    document = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": xml_text(table.header.software),
            "DATE": table.header.created or EPOCH,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": XSI,
            "xsi:noNamespaceSchemaLocation": SCHEMA,
        },
    )
    document.append(_head(table.header, {episode.stream for episode in found}))
    slots = sorted({time for tier in tiers.values() for note in tier for time in (note.begin_ms, note.end_ms)})
    order = ET.SubElement(document, "TIME_ORDER")
    for number, time_ms in enumerate(slots):
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(time_ms)})
    written = _append_tiers(document, tiers, slots)
    ET.SubElement(
        document,
        "LINGUISTIC_TYPE",
        {"LINGUISTIC_TYPE_ID": LINGUISTIC_TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"},
    )
    ET.indent(document)
    ET.ElementTree(document).write(file, encoding="UTF-8", xml_declaration=True)
    return written


def _head(header: RecordingHeader, shown: set[str]) -> ET.Element:
    head = ET.Element("HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    for recorded in header.streams:
        medium = medium_of(recorded)
        if medium is None or recorded.stream not in shown:
            continue
        path = PurePath(medium.path)
        url = path.as_uri() if path.is_absolute() else quote(medium.path)
        ET.SubElement(
            head,
            "MEDIA_DESCRIPTOR",
            {
                "MEDIA_URL": url,
                "RELATIVE_MEDIA_URL": f"./{quote(path.name)}",
                "MIME_TYPE": medium.mime_type,
            },
        )
    for name, value in (("model", header.model), ("notice", header.notice)):
        ET.SubElement(head, "PROPERTY", {"NAME": name}).text = xml_text(value)
    return head


def _append_tiers(document: ET.Element, tiers: Mapping[str, list[Annotation]], slots: list[int]) -> int:
    written = 0
    for name, annotations in tiers.items():
        tier = ET.SubElement(document, "TIER", {"TIER_ID": xml_text(name), "LINGUISTIC_TYPE_REF": LINGUISTIC_TYPE})
        for note in annotations:
            begin, end = (f"ts{bisect_left(slots, time_ms)}" for time_ms in (note.begin_ms, note.end_ms))
            attributes = {"ANNOTATION_ID": f"a{written}", "TIME_SLOT_REF1": begin, "TIME_SLOT_REF2": end}
            aligned = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", attributes)
            ET.SubElement(aligned, "ANNOTATION_VALUE").text = xml_text(note.text)
            written += 1
    return written


def _tiers(found: Iterable[Episode]) -> Tiers:
    """Episodes by tier, in order, none reaching into the next one of its tier."""
    by_tier: dict[str, list[Episode]] = {}
    ends_ms: dict[str, int] = {}
    for episode in found:
        by_tier.setdefault(_tier_of(episode), []).append(episode)
        last_s = episode.begin_s if episode.end_s is None else episode.end_s
        ends_ms[episode.stream] = max(_ms(last_s), ends_ms.get(episode.stream, 0))
    return {name: list(_laid_out(by_tier[name], ends_ms)) for name in sorted(by_tier)}


def _tier_of(episode: Episode) -> str:
    subject = episode.stream if episode.face is None else f"{episode.stream} face {episode.face}"
    if episode.kind == "marker":
        return f"{episode.stream} markers"
    return f"{episode.stream} events" if episode.end_s is None else f"{subject} {episode.kind}"


def _laid_out(tier: list[Episode], ends_ms: Mapping[str, int]) -> Iterator[Annotation]:
    moments: dict[int, list[Episode]] = {}
    for episode in tier:
        moments.setdefault(_ms(episode.begin_s), []).append(episode)
    begins = [*moments, None]
    for begin_ms, next_ms in zip(moments, begins[1:], strict=True):
        together = moments[begin_ms]
        last = max(_end_ms(episode, ends_ms[episode.stream]) for episode in together)
        end_ms = max(last, begin_ms + 1)
        yield Annotation(begin_ms, end_ms if next_ms is None else min(end_ms, next_ms), "; ".join(map(_text, together)))


def _end_ms(episode: Episode, stream_ends_ms: int) -> int:
    if episode.end_s is not None:
        return _ms(episode.end_s)
    shortest = _ms(episode.begin_s) + MOMENT_MS
    return max(stream_ends_ms, shortest) if episode.kind == "marker" else shortest


def _text(episode: Episode) -> str:
    name = episode.name if episode.face is None or episode.end_s is not None else f"{episode.name} {episode.face}"
    return f"{name}: {episode.comment}" if episode.comment else name


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1e3))


class _Means:
    """Valence and arousal of each face, averaged over windows of time."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int, str], dict[int, tuple[float, int]]] = {}

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, which are noted as they pass."""
        for row in rows:
            window = _ms(row.timestamp_s) // WINDOW_MS
            for dimension in DIMENSIONS:
                value = getattr(row.estimate, dimension)
                if isinstance(value, float | int):
                    sums = self._sums.setdefault((row.estimate.stream, row.estimate.track, dimension), {})
                    total, count = sums.get(window, (0.0, 0))
                    sums[window] = (total + value, count + 1)
            yield row

    def tiers(self) -> Tiers:
        """One tier for each face and dimension; windows without a value are left out."""
        return {
            f"{stream} face {track} {dimension}": [
                Annotation(window * WINDOW_MS, (window + 1) * WINDOW_MS, f"{total / count:+.2f}")
                for window, (total, count) in sorted(sums.items())
            ]
            for (stream, track, dimension), sums in sorted(self._sums.items())
        }
