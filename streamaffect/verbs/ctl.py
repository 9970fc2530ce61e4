"""The verb `ctl`: commands to a run, and its answers in words or as JSON."""

import argparse
import sys
import time
from collections.abc import Callable

import msgspec

from streamaffect.errors import ControlError
from streamaffect.feed.commands import GroupReport, Reply, StreamReport
from streamaffect.feed.controller import Controller
from streamaffect.prompts.reading import given_prompts
from streamaffect.settings import Whose, whose_of

POLL_S = 0.2
PATIENCE, PATIENCE_S = 2.0, 3.0  # a live stream may be slower than its clock


def ctl(options: argparse.Namespace) -> int:
    """Give the command that was typed, and print the answer; returns the exit code.

    Raises ControlError where the run refuses or does not answer, WireError where the address or a key is not usable.
    """
    with Controller(options.address, keys=options.keys) as run:
        reply = _ask(run, options)
    text = msgspec.json.encode(reply).decode() if options.json else "\n".join(_words(reply))
    sys.stdout.write(f"{text}\n")
    return 0


def _ask(run: Controller, options: argparse.Namespace) -> Reply:
    asks: dict[str, Callable[[], Reply]] = {
        "mark": lambda: _mark(run, options),
        "baseline": lambda: _baseline(run, options),
        "streams": lambda: Reply(ok=True, streams=run.streams()),
        "add": lambda: Reply(ok=True, text=run.add(options.source, group=options.group)),
        "remove": lambda: Reply(ok=True, text=run.remove(options.name)),
        "voice": lambda: Reply(ok=True, text=run.give_voice(options.stream, _whose(options.track))),
        "prompts": lambda: _prompts(run, options),
        "status": run.status,
        "drain": lambda: Reply(ok=True, text=run.drain(options.name)),
        "restart": lambda: Reply(ok=True, text=run.restart(options.name)),
        "stop": lambda: Reply(ok=True, text=run.stop()),
    }
    return asks[options.command]()


def _mark(run: Controller, options: argparse.Namespace) -> Reply:
    t_ns = run.mark(options.label, stream=options.stream)
    return Reply(ok=True, text=f"marked: {options.label}", t_ns=t_ns)


def _whose(text: str) -> Whose:
    try:
        return whose_of(text)
    except ValueError as error:
        raise ControlError(f"{text!r}: {error}") from error


def _prompts(run: Controller, options: argparse.Namespace) -> Reply:
    if options.prompts is None:
        return Reply(ok=True, text=run.prompts())
    return Reply(ok=True, text=run.prompts({one.name: one.text for one in given_prompts(options.prompts)}))


def _baseline(run: Controller, options: argparse.Namespace) -> Reply:
    """Ask for a baseline, and wait for what becomes of it. Raises ControlError where none was taken."""
    if options.what == "clear":
        return Reply(ok=True, text=run.clear_baseline(stream=options.stream))
    before = {one.stream: one.baseline_events for one in run.streams()}
    sys.stderr.write(f"{run.start_baseline(options.seconds, stream=options.stream)}\n")
    deadline_s = time.monotonic() + PATIENCE * options.seconds + PATIENCE_S
    while time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        news = [one for one in run.streams() if one.baseline_events > before.get(one.stream, 0)]
        if news and not any("baseline started" in one.baseline for one in news):
            words = [f"{one.stream}: {one.baseline}" for one in news]
            if not any("baseline taken" in one for one in words):
                raise ControlError("; ".join(words))
            return Reply(ok=True, text="\n".join(words))
    raise ControlError("no baseline was taken: the face has gone, or no picture has come", transient=True)


def _words(reply: Reply) -> list[str]:
    lines = [reply.text] if reply.text else []
    if (run := reply.run) is not None:
        lines += [
            f"model      {run.model}",
            f"engine     {run.engine}",
            f"feed       {run.feed}",
            f"recording  {run.recording or 'none'}",
            f"running    {run.uptime_s:.0f} s, {run.markers} marker{'' if run.markers == 1 else 's'}",
        ]
    if isinstance(reply.groups, list):
        lines += map(_group_words, reply.groups)
    return lines + list(map(_stream_words, reply.streams))


def _group_words(group: GroupReport) -> str:
    where = f" on {group.node}" if group.node else ""
    detail = f" ({group.detail})" if group.detail else ""
    restarts = f", restarted {group.restarts} times" if group.restarts > 1 else ", restarted once" * group.restarts
    figures = f", {group.cpu_s:.0f} s of CPU, {group.memory_mb:.0f} MB" if group.cpu_s else ""
    return f"group {group.group}: {group.state}{where}{detail}{restarts}{figures}"


def _stream_words(stream: StreamReport) -> str:
    fault = f" ({stream.fault})" if stream.fault else ""
    figures = f"{stream.fps_out:.1f} frames/s, {stream.faces} face{'' if stream.faces == 1 else 's'}"
    return f"{stream.stream}: {stream.state}{fault}, {figures}, {stream.estimates} estimates, from {stream.source}"
