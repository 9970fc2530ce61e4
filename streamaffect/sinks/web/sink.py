"""The page of a run as a sink: its thread puts each message up, and the server's thread shows them."""

from streamaffect.messages import Message
from streamaffect.sinks.web.board import Board
from streamaffect.sinks.web.live import Actions, LivePage
from streamaffect.sinks.web.pictures import Pictures
from streamaffect.sinks.web.server import PageServer


class Page:
    """A sink that shows messages in browsers, from its construction until `close`.

    server:  bound, and not started yet; it belongs to the page from here on
    actions: what the page's buttons do; None shows none
    """

    name = "web"

    def __init__(self, server: PageServer, *, actions: Actions | None = None, pictures: Pictures | None = None) -> None:
        self._board = Board()
        self._server = server
        live = LivePage(self._board, actions=actions, pictures=pictures)
        server.start(live.routes, end=live.end)

    def send(self, message: Message) -> None:
        """Put a message up."""
        self._board.put(message)

    def close(self) -> None:
        """Let the browsers go."""
        self._server.close()
