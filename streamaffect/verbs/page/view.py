"""The verb `view`: a recording in the page."""

import sys
from contextlib import closing
from pathlib import Path

from streamaffect.errors import ConfigError
from streamaffect.paths import from_home
from streamaffect.settings import WebSettings
from streamaffect.verbs.page.opening import require_libraries
from streamaffect.verbs.signals.interruption import interrupted_by_signals


def view(
    recording: Path, settings: WebSettings, *, video: Path | None, video_offset_s: float, opens_browser: bool
) -> int:
    """Show a recording until a signal comes; returns the exit code.

    Raises ConfigError, RecordingError or WireError where that cannot be done.
    """
    require_libraries()
    from streamaffect.recordings.courses import read_courses
    from streamaffect.sinks.web.recorded import RecordedPage
    from streamaffect.sinks.web.server import PageServer

    with closing(PageServer(settings)) as server:
        courses = read_courses(recording)
        shown = None if video is None else _readable(video)
        server.start(RecordedPage(courses, video=shown, video_offset_s=video_offset_s).routes)
        complaint = "" if courses.complaint is None else f" ({courses.complaint})"
        sys.stdout.write(f"{recording}: {courses.estimates} estimates{complaint}\n")
        sys.stdout.write(f"open {server.address.url}, end with Ctrl-C\n")
        sys.stdout.flush()
        if opens_browser:
            import webbrowser

            webbrowser.open(server.address.url)
        with interrupted_by_signals():
            server.wait()
    return 0


def _readable(video: Path) -> Path:
    path = from_home(video)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ConfigError(
            f"--video {video}: cannot be read ({error.strerror}); give the video that was recorded"
        ) from None
