"""Whole pictures from interlaced ones, whose two fields were taken one after the other.

Only frames that say that they are interlaced are touched, and a video without any never goes through a filter.
"""

from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame

FILTER = "bwdif"
ARGUMENTS = "mode=send_frame:deint=interlaced"

Kind = tuple[int, int, str]


class Deinterlacer:
    """Takes frames and gives as many; from the first interlaced one on, each comes one later."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: Kind | None = None

    def take(self, frame: VideoFrame) -> list[VideoFrame]:
        """Hand over the next frame; get those that are ready."""
        if self._graph is None and not frame.interlaced_frame:
            return [frame]
        kind = (frame.width, frame.height, frame.format.name)
        ready: list[VideoFrame] = []
        if self._graph is not None and kind != self._kind:
            ready = self.rest()
        if self._graph is None:
            if not frame.interlaced_frame:  # the first one after a change
                return [*ready, frame]
            self._kind = kind
        try:
            self._graph = self._graph or _graph(frame)
            self._graph.vpush(frame)
        except FFmpegError:  # of a size or format that the filter does not take
            self.restart()
            return [*ready, frame]
        return ready + self._pull()

    def rest(self) -> list[VideoFrame]:
        """The frames that were held back, at the end or before a change."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        ready = self._pull()
        self.restart()
        return ready

    def restart(self) -> None:
        """Forget what came before."""
        self._graph = self._kind = None

    def _pull(self) -> list[VideoFrame]:
        ready: list[VideoFrame] = []
        while self._graph is not None:
            try:
                ready.append(self._graph.vpull())
            except FFmpegError:  # wants another frame, or has seen the last one
                break
        return ready


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add(FILTER, ARGUMENTS), graph.add("buffersink")).configure()
    return graph
