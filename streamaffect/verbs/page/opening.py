"""From settings to a page that waits for its run, or to none. What it is made of is loaded only where it is wanted."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.types import Sightings

if TYPE_CHECKING:
    from streamaffect.sinks.web.live import Actions
    from streamaffect.sinks.web.pictures import Pictures
    from streamaffect.sinks.web.server import PageServer
    from streamaffect.sinks.web.sink import Page

NEEDS = ("starlette", "uvicorn", "wsproto")


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page whose address is bound, and that nobody answers yet."""

    server: "PageServer"
    pictures: "Pictures | None"

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return self.server.address.url

    @property
    def look(self) -> Callable[[str, Sightings], None] | None:
        """What takes the pictures; None where none are to be shown."""
        return None if self.pictures is None else self.pictures.look

    def start(self, actions: "Actions | None") -> "Page":
        """Answer browsers from here on, as the sink that is returned."""
        from streamaffect.sinks.web.sink import Page

        return Page(self.server, actions=actions, pictures=self.pictures)


def open_page(config: Config, stack: ExitStack) -> OpenedPage | None:
    """Bind the address of the page; it is freed with the stack. None where no page is asked for.

    Raises ConfigError where a library is missing or the settings allow no page, WireError where the port is taken.
    """
    if not config.web.bind:
        if config.web.video != "off" or config.web.token_file:
            raise ConfigError("--web-video and --web-token belong to the page: add --web")
        return None
    require_libraries()
    from streamaffect.sinks.web.pictures import Pictures
    from streamaffect.sinks.web.server import PageServer

    server = PageServer(config.web)
    stack.callback(server.close)
    return OpenedPage(server, None if config.web.video == "off" else Pictures(config.web.video))


def require_libraries() -> None:
    """Raise ConfigError where the page cannot be served, and say how it could."""
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise ConfigError(f"--web needs {', '.join(missing)}: pip install 'streamaffect[web]'")
