"""From a run to a recording of crops: of a face that is alone in the picture, and of no other.

It is shown what was found in each frame and never makes the stream wait: a thread writes, and what a slow disk has no
time for is left out.
"""

import datetime
import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from streamaffect.errors import RecordingError
from streamaffect.personal.crop_file import header_of, record_type
from streamaffect.recordings.output_file import check_output, create, output_path, unwritable
from streamaffect.runtime.bundle import Bundle
from streamaffect.types import ImageArray, Sightings

log = logging.getLogger(__name__)

LEAST_GAP = 0.6  # of a clip's period, between the crops that are kept
MOST_BYTES = 512 << 20  # about 40 minutes of crops of 64 pixels
WAITING = 64
JOIN_S = 2.0
POLL_S = 0.1


class CropRecorder:
    """Keeps crops in a file that it makes, until it is closed.

    Raises RecordingError where the file cannot be made: it must not exist yet.
    """

    def __init__(self, path: str, bundle: Bundle, *, inputs: Sequence[Path] = ()) -> None:
        self.path = output_path(path, wanted="a recording of crops is a file, e.g. me.crops")
        check_output(self.path, overwrite=False, inputs=inputs)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._record = record_type(bundle.manifest.crop.size)
        self._least_s = LEAST_GAP * bundle.manifest.clip.period_s
        self._last: dict[str, tuple[int, float]] = {}  # by stream: track and time of its newest crop
        self._shots: dict[tuple[str, int], int] = {}
        self._waiting: queue.Queue[bytes] = queue.Queue(WAITING)
        self._ending = threading.Event()
        self._is_closed = False
        self.kept = self.left_out = 0
        try:
            self._file = create(self.path)
            self._file.write(msgspec.json.encode(header_of(bundle, now)) + b"\n")
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._thread = threading.Thread(target=self._run, name="crops", daemon=True)
        self._thread.start()
        log.warning("pictures of a face are written to %s while it is alone in view", self.path)

    def look(self, stream: str, sightings: Sightings) -> None:
        """Keep the crop of the one face in view; of several, nobody can tell whose face it is to be."""
        if len(sightings.faces) != 1 or sightings.left_out or sightings.detected > 1:
            return
        (sighting,) = sightings.faces
        time_s = sightings.frame.time_s
        track, last_s = self._last.get(stream, (-1, 0.0))
        if sighting.crop is None or (track == sighting.track and time_s - last_s < self._least_s):
            return
        self._last[stream] = sighting.track, time_s
        shot = self._shots.setdefault((stream, sighting.track), len(self._shots))
        try:
            self._waiting.put_nowait(self._as_bytes(time_s, shot, sighting.crop))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Write what waits, and end; says what the file holds, and removes an empty one. May be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        self._ending.set()
        self._thread.join(JOIN_S)
        if self.kept == 0:
            self.path.unlink(missing_ok=True)
            log.warning("%s: no face was alone in the picture and clear enough; nothing was kept", self.path)
            return
        log.warning(
            "%s holds %d pictures of a face; `streamaffect personalise %s --out DIR` learns from them, and "
            "`streamaffect personalise --delete %s` deletes them",
            self.path, self.kept, self.path, self.path,
        )  # fmt: skip

    def _as_bytes(self, time_s: float, shot: int, crop: ImageArray) -> bytes:
        row = np.zeros((), self._record)
        row["time_s"], row["shot"], row["crop"] = time_s, shot, crop
        return row.tobytes()

    def _run(self) -> None:
        try:
            with self._file as file:
                while (record := self._next()) is not None:
                    if file.tell() + len(record) > MOST_BYTES:
                        log.warning("%s is as large as it may be; no further crops are kept", self.path)
                        return
                    file.write(record)
                    self.kept += 1
        except OSError as error:
            log.warning("%s", RecordingError(f"{self.path}: no further crops are kept ({error.strerror})"))

    def _next(self) -> bytes | None:
        """What waits longest; None when nothing waits and the run has ended."""
        while True:
            try:
                return self._waiting.get(timeout=POLL_S)
            except queue.Empty:
                if self._ending.is_set():
                    return None
