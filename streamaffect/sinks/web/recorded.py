"""What the page asks of a recording: its courses as columns, its video, and what is shown as a file."""

import asyncio
import mimetypes
import sys
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from streamaffect.recordings.courses import STATUSES, Course, Courses
from streamaffect.recordings.export.csv import Decimal
from streamaffect.recordings.export.shown import Selection, Stretch, write_shown
from streamaffect.recordings.voices import VOICE_VALUES, VoiceCourse

CHUNK_BYTES = 1 << 16


class RecordedPage:
    """The routes of a recording's page.

    video:          the video that was recorded; None where it is not at hand
    video_offset_s: second of the recording at which the video begins
    """

    def __init__(self, courses: Courses, *, video: Path | None = None, video_offset_s: float = 0.0) -> None:
        self._courses = courses
        self._video = video
        self._video_offset_s = video_offset_s

    @property
    def routes(self) -> list[BaseRoute]:
        """Everything below /v1."""
        found: list[BaseRoute] = [
            Route("/v1/page", self.page),
            Route("/v1/recording", self.recording),
            Route("/v1/recording/course/{number:int}", self.course),
            Route("/v1/recording/voice/{number:int}", self.voice),
            Route("/v1/recording/export.csv", self.export),
        ]
        return found if self._video is None else [*found, Route("/v1/recording/video", self.video)]

    async def page(self, _: Request) -> Response:
        """What the page needs to know before it begins."""
        return JSONResponse({"v": 1, "mode": "recording", "notice": self._courses.header.notice})

    async def recording(self, _: Request) -> Response:
        """What there is: faces, names of the columns, and what happened."""
        header = self._courses.header
        return JSONResponse(
            {
                "v": 1,
                "name": self._courses.path.name,
                "created": header.created,
                "model": header.model,
                "engine": header.engine,
                "software": header.software,
                "streams": [{"stream": one.stream, "source": one.source, "live": one.live} for one in header.streams],
                "estimates": self._courses.estimates,
                "complaint": self._courses.complaint,
                "statuses": STATUSES,
                "columns": self._courses.names,
                "outputs": self._courses.outputs,
                "heads": msgspec.to_builtins(header.heads),
                "faces": [
                    {
                        "stream": one.stream,
                        "track": one.track,
                        "count": len(one.seconds),
                        "from_s": one.seconds[0],
                        "to_s": one.seconds[-1],
                        "descriptions": one.descriptions,
                    }
                    for one in self._courses.courses
                ],
                "voice_columns": VOICE_VALUES,
                "voices": [
                    {
                        "stream": one.stream,
                        "count": len(one.seconds),
                        "from_s": one.seconds[0],
                        "to_s": one.seconds[-1],
                    }
                    for one in self._courses.voices
                ],
                "moments": [
                    {"stream": one.stream, "t_s": one.seconds, "event": one.what, "label": one.label}
                    for one in self._courses.moments
                ],
                "video": None if self._video is None else {"offset_s": self._video_offset_s},
            }
        )

    async def course(self, request: Request) -> Response:
        """One face, little-endian: so many float64 seconds, then as many float32 of each column; NaN for no value."""
        number = int(request.path_params["number"])
        if number >= len(self._courses.courses):
            return JSONResponse({"error": "there is no such face"}, 404)
        return Response(_packed(self._courses.courses[number]), media_type="application/octet-stream")

    async def voice(self, request: Request) -> Response:
        """One voice, laid out as a face is."""
        number = int(request.path_params["number"])
        if number >= len(self._courses.voices):
            return JSONResponse({"error": "there is no such voice"}, 404)
        return Response(_packed(self._courses.voices[number]), media_type="application/octet-stream")

    async def video(self, _: Request) -> Response:
        """The video, from whichever byte the browser asks for."""
        assert self._video is not None
        kind = mimetypes.guess_type(self._video.name)[0] or "application/octet-stream"
        return FileResponse(self._video, media_type=kind)

    async def export(self, request: Request) -> Response:
        """What is shown, as CSV."""
        try:
            selection = self._selection(request)
        except (ValueError, IndexError):
            return JSONResponse({"error": "expected faces=0,1&from=S&to=S, and perhaps without=S:S,S:S"}, 400)
        decimal: Decimal = "," if request.query_params.get("decimal") == "," else "."
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed by who sends it
        await asyncio.to_thread(write_shown, file, self._courses.path, selection, decimal=decimal)
        name = f"{self._courses.path.stem}-shown.csv".encode("ascii", "replace").decode().replace('"', "'")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_chunks(file), media_type="text/csv; charset=utf-8", headers=headers)

    def _selection(self, request: Request) -> Selection:
        asked = request.query_params
        chosen = [self._courses.courses[int(word)] for word in asked["faces"].split(",") if word]
        without = tuple(_stretch(text) for text in asked.get("without", "").split(",") if text)
        within = _stretch(f"{asked['from']}:{asked['to']}")
        return Selection(frozenset((one.stream, one.track) for one in chosen), within, without)


def _stretch(text: str) -> Stretch:
    first, last = (float(word) for word in text.split(":"))
    return first, last


def _packed(course: Course | VoiceCourse) -> bytes:
    return b"".join(_little_endian(column) for column in (course.seconds, *course.columns))


def _little_endian(column: "array[float]") -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _chunks(file: "IO[bytes]") -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
