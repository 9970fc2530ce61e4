"""Progress without a dashboard: a plain line now and then, or a bar for files, and the closing summary."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from streamaffect.clock import monotonic_ns
from streamaffect.messages import Health, Message, Meta
from streamaffect.sinks.display.faces import signed
from streamaffect.sinks.display.info import duration, latency_words, remaining_words
from streamaffect.sinks.display.lines import clean
from streamaffect.sinks.display.state import DisplayState, FaceState, RunInfo, StreamState
from streamaffect.sinks.display.terminal_log import LogDiversion

LINE_PERIOD_NS = 5_000_000_000
LINES_PER_FILE = 10


class PlainProgress:
    """A line per stream every five seconds, and at every tenth of a file. For logs and pipes: no control codes."""

    name = "progress"

    def __init__(self, console: Console, *, run: RunInfo, clock: Callable[[], int] = monotonic_ns) -> None:
        self._console = console
        self._clock = clock
        self._state = DisplayState(run)
        self._printed: dict[str, tuple[int, int]] = {}
        self._noticed = False

    def send(self, message: Message) -> None:
        """Take one message: the first meta message is answered by the notice, a health message perhaps by a line."""
        now_ns = self._clock()
        if isinstance(message, Meta) and not self._noticed:
            self._noticed = True
            _write(self._console, message.notice)
            if self._state.run.page is not None:
                _write(self._console, f"page: {self._state.run.page}")
        self._state.update(message, now_ns)
        if isinstance(message, Health) and message.state != "starting":
            self._print_when_due(message, now_ns)

    def close(self) -> None:
        """Print the summary."""
        for text in summary(self._state):
            _write(self._console, text)

    def _print_when_due(self, health: Health, now_ns: int) -> None:
        step = int((health.progress or 0.0) * LINES_PER_FILE)
        printed_ns, printed_step = self._printed.get(health.stream, (now_ns - LINE_PERIOD_NS, 0))
        if now_ns - printed_ns < LINE_PERIOD_NS and step == printed_step:
            return
        self._printed[health.stream] = (now_ns, step)
        self._state.forget_stale(now_ns)
        _write(self._console, plain_line(self._state, self._state.streams[health.stream]))


class FileProgress:
    """A progress bar per file, with the time it still needs and the newest estimate. For terminals."""

    name = "progress"

    def __init__(self, console: Console, *, run: RunInfo) -> None:
        self._console = console
        self._state = DisplayState(run)
        self._tasks: dict[str, TaskID] = {}
        self._log = LogDiversion(lambda _, text: _write(console, text))
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None, style="dim", complete_style="bold", finished_style="bold"),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
            auto_refresh=False,
            expand=True,
        )

    def send(self, message: Message) -> None:
        """Take one message; the bars move with the health messages, each second."""
        now_ns = monotonic_ns()
        self._state.update(message, now_ns)
        if not isinstance(message, Health):
            return
        if not self._tasks:
            self._log.start()
            self._bars.start()
        if message.stream not in self._tasks:
            self._tasks[message.stream] = self._bars.add_task(clean(message.stream), total=1.0, words="")
        self._state.forget_stale(now_ns)
        words = _file_words(self._state, message)
        self._bars.update(self._tasks[message.stream], completed=message.progress or 0.0, words=words, refresh=True)

    def close(self) -> None:
        """Leave the bars as they are and print the summary."""
        self._bars.stop()
        self._log.stop()
        for text in summary(self._state):
            _write(self._console, text)


def plain_line(state: DisplayState, stream: StreamState) -> str:
    """The state of a stream in one short line of ASCII."""
    health = stream.health
    if health is None:
        return f"{clean(stream.name)}: starting"
    if stream.lost_since_ns is not None:
        return f"{clean(stream.name)}: source lost, {health.reconnects} reconnects so far"
    faces = state.faces_of(stream.name)
    parts = [f"{health.frames} frames", f"{health.fps_out:.1f} fps", _count(len(faces), "face")]
    if faces:
        parts.append(_estimate_words(faces))
    if health.skipped:
        parts.append(f"{health.skipped} skipped")
    if health.latency_ms is not None:
        parts.append(latency_words(health))
    if health.progress is not None:
        parts.append(f"{100 * health.progress:.0f} %")
        parts.append(remaining_words(health))
    return _ascii(f"{clean(stream.name)}: {', '.join(parts)}")


def summary(state: DisplayState) -> list[str]:
    """What a run has done, a line per stream; nothing where it has not begun."""
    lines = [_summary_of(stream, stream.health) for stream in state.streams.values() if stream.health is not None]
    lines += [clean(votes) for votes in state.votes]
    if lines and state.run.recording is not None:
        words = "recorded to" if state.run.is_recorded() else "not completely recorded to"
        lines.append(f"{words} {clean(state.run.recording)}")
    return lines


def _summary_of(stream: StreamState, health: Health) -> str:
    faces = _count(stream.faces_seen, "face") if stream.faces_seen else "no face was seen"
    parts = [
        f"{_count(health.frames, 'frame')} in {_took(health.uptime_s)}",
        faces,
        _count(health.estimates, "estimate"),
    ]
    if health.skipped:
        parts.append(f"{_count(health.skipped, 'frame')} skipped")
    if health.latency_ms is not None:
        parts.append(f"latency {latency_words(health)}")
    if health.reconnects:
        parts.append(f"{_count(health.reconnects, 'reconnect')}, {_took(health.downtime_s)} away")
    return f"{clean(stream.name)}: {', '.join(parts)}"


def _took(seconds: float) -> str:
    """Most clips take less than a second."""
    return f"{seconds:.1f} s" if seconds < 9.95 else duration(seconds)


def _file_words(state: DisplayState, health: Health) -> str:
    faces = state.faces_of(health.stream)
    now = f"  {_estimate_words(faces)}" if faces else ""
    return f"{remaining_words(health)}  {health.fps_out:.0f} fps{now}"


def _estimate_words(faces: list[FaceState]) -> str:
    """The estimate of the largest face."""
    estimate = max(faces, key=lambda face: face.estimate.box.w * face.estimate.box.h).estimate
    if estimate.valence is None or estimate.arousal is None:
        return f"face {estimate.track} {estimate.status}"
    return f"valence {signed(estimate.valence)} arousal {signed(estimate.arousal)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _ascii(text: str) -> str:
    return text.replace("−", "-").replace("–", "-").encode("ascii", "replace").decode()
