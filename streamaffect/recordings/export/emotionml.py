"""A recording as EmotionML 1.0 (W3C Recommendation, 22 May 2014): one <emotion> per estimate that has a value.

Dimensions are W3C's `fsre-dimensions`, on EmotionML's scale from 0 to 1: (value + 1) / 2. The confidence of a dimension
is 1 minus the width of its interval on that scale. The probabilities of the first classification head are categories
with a confidence, of a vocabulary that the document declares. What EmotionML has no word for stands in <info>.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import BinaryIO
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from streamaffect.messages import Estimate, Event, HeadMeta
from streamaffect.recordings.export.table import Row, Table
from streamaffect.recordings.export.xml_text import xml_text
from streamaffect.recordings.header import RecordedStream, RecordingHeader

NAMESPACE = "http://www.w3.org/2009/10/emotionml"
OWN_NAMESPACE = "urn:x-streamaffect:emotionml:1"
DIMENSION_SET = "http://www.w3.org/TR/emotion-voc/xml#fsre-dimensions"
DECIMALS = 6

Interval = tuple[float, float]


def write_emotionml(file: BinaryIO, table: Table) -> int:
    """Write the document and return the number of <emotion> elements."""
    head = next((head for head in table.header.heads if head.kind == "classification"), None)
    sources = {recorded.stream: recorded for recorded in table.header.streams}
    file.write(_opening(head).encode())
    file.write(_line(_document_info(table.header, table.markers, sources)))
    if head is not None:
        file.write(_line(_vocabulary(head)))
    written = 0
    for row in table.rows:
        descriptions = [*_dimensions(row.estimate), *_categories(row.estimate, head)]
        if descriptions:
            emotion = ET.Element("emotion", _place(row, written, sources.get(row.estimate.stream)))
            emotion.append(_estimate_info(row.estimate))
            emotion.extend(descriptions)
            file.write(_line(emotion))
            written += 1
    file.write(b"</emotionml>\n")
    return written


def _opening(head: HeadMeta | None) -> str:
    attributes = {"version": "1.0", "xmlns": NAMESPACE, "xmlns:sa": OWN_NAMESPACE, "dimension-set": DIMENSION_SET}
    if head is not None:
        attributes["category-set"] = f"#{_token(head.name)}"
    text = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<emotionml {text}>\n'


def _line(element: ET.Element) -> bytes:
    text: str = ET.tostring(element, encoding="unicode")
    return text.encode() + b"\n"


def _document_info(
    header: RecordingHeader, markers: Sequence[Event], sources: Mapping[str, RecordedStream]
) -> ET.Element:
    attributes = {"software": header.software, "model": header.model, "bundle-sha256": header.bundle_sha256}
    info = ET.Element("info")
    ET.SubElement(info, "sa:recording", attributes | {"scale": "(value + 1) / 2", "notice": header.notice})
    for marker in markers:
        ET.SubElement(info, "sa:marker", _marker(marker, sources.get(marker.stream)))
    return info


def _marker(marker: Event, source: RecordedStream | None) -> dict[str, str]:
    """Label, stream and time of a marker; its time as that of an emotion."""
    is_live = source is None or source.live
    return {
        "stream": marker.stream,
        "label": xml_text(str(marker.label)),
        "origin": xml_text(str(marker.origin)),
        "start" if is_live else "offset-to-start": str(marker.t_ns // 1_000_000),
    }


def _vocabulary(head: HeadMeta) -> ET.Element:
    vocabulary = ET.Element("vocabulary", {"type": "category", "id": _token(head.name)})
    for output in head.outputs:
        ET.SubElement(vocabulary, "item", {"name": _token(str(output["name"]))})
    return vocabulary


def _place(row: Row, number: int, source: RecordedStream | None) -> dict[str, str]:
    """Where in time the emotion stands: UTC for a live stream, else milliseconds from the start of the file."""
    place = {"id": f"estimate-{number}", "expressed-through": "face"}
    if source is None or source.live:
        return place | {"start": str(row.estimate.t_capture_ns // 1_000_000)}
    return place | {
        "time-ref-uri": quote(source.source, safe="/:"),
        "offset-to-start": str(round(row.timestamp_s * 1e3)),
    }


def _estimate_info(estimate: Estimate) -> ET.Element:
    values: dict[str, object] = {
        "stream": estimate.stream,
        "track": estimate.track,
        "seq": estimate.seq,
        "refines": estimate.refines,
        "status": estimate.status,
    }
    for name, interval in (("valence", estimate.valence_interval), ("arousal", estimate.arousal_interval)):
        if interval is not None:
            values |= {f"{name}-low": _scaled(interval[0]), f"{name}-high": _scaled(interval[1])}
    for name, relative in (("valence", estimate.valence_relative), ("arousal", estimate.arousal_relative)):
        if isinstance(relative, float | int):
            values[f"{name}-relative"] = relative  # from -2 to 2: a difference has no place on the scale
    info = ET.Element("info")
    ET.SubElement(info, "sa:estimate", {name: str(value) for name, value in values.items() if value is not None})
    return info


def _dimensions(estimate: Estimate) -> list[ET.Element]:
    affect = (
        ("valence", estimate.valence, estimate.valence_interval),
        ("arousal", estimate.arousal, estimate.arousal_interval),
    )
    return [_dimension(name, value, interval) for name, value, interval in affect if value is not None]


def _dimension(name: str, value: float, interval: Interval | None) -> ET.Element:
    attributes = {"name": name, "value": str(_scaled(value))}
    if interval is not None:
        attributes["confidence"] = str(round(1.0 - (_scaled(interval[1]) - _scaled(interval[0])), DECIMALS))
    return ET.Element("dimension", attributes)


def _categories(estimate: Estimate, head: HeadMeta | None) -> list[ET.Element]:
    probabilities = {} if head is None else estimate.outputs.get(head.name, {})
    return [
        ET.Element("category", {"name": _token(name), "confidence": str(probability)})
        for name, probability in probabilities.items()
    ]


def _scaled(value: float) -> float:
    """[-1, 1] → [0, 1]."""
    return round((value + 1.0) / 2.0, DECIMALS)


def _token(name: str) -> str:
    """The name as an XML name token that can also be an id."""
    token = re.sub(r"[^\w.-]", "_", name)
    return token if re.match(r"[^\W\d]", token) else f"_{token}"
