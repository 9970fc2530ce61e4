"""A verb on the command line: its parser, what it calls, and the flags that several verbs share."""

import argparse
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from streamaffect.redaction import clean

DEFAULT_PAGE = "127.0.0.1:8765"

Call: TypeAlias = Callable[[argparse.Namespace], int]  # from what was parsed to the exit code
Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """A parser that repeats no credentials when it complains of a word."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line."""
        super().error(clean(message))


def add_verb(verbs: Verbs, name: str, *, summary: str, description: str, epilog: str = "") -> Parser:
    """A verb without flags. Where an epilog is given, both texts keep their lines as they are."""
    as_written = argparse.RawDescriptionHelpFormatter if epilog else argparse.HelpFormatter
    return verbs.add_parser(
        name, help=summary, description=description, epilog=epilog or None, formatter_class=as_written
    )


def finish(parser: argparse.ArgumentParser, call: Call) -> None:
    """What all verbs know, behind their own flags; `call` does the verb."""
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default="warning", help="default: %(default)s")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="json: one object a line (default: %(default)s)"
    )
    parser.set_defaults(call=call)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """What runs the model."""
    parser.add_argument("--engine", default="auto", metavar="NAME", help="default: %(default)s")


def add_insecure_bind(parser: argparse.ArgumentParser) -> None:
    """That the feed may be read from elsewhere."""
    parser.add_argument(
        "--insecure-bind", action="store_true", default=None, help="let other machines read the feed unencrypted"
    )


def add_display(parser: argparse.ArgumentParser) -> None:
    """Whether there is a live view in the terminal."""
    parser.add_argument(
        "--display",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="live view in the terminal (default: on a terminal)",
    )


def add_page(parser: argparse.ArgumentParser) -> None:
    """The page in a browser, and what it shows."""
    add_page_address(parser)
    parser.add_argument(
        "--web-video",
        nargs="?",
        const="plain",
        choices=("plain", "blurred"),
        help="show the picture there too, or the picture with blurred faces; otherwise numbers alone",
    )


def add_page_address(parser: argparse.ArgumentParser) -> None:
    """Where the page is, and who may see it."""
    parser.add_argument(
        "--web",
        nargs="?",
        const=DEFAULT_PAGE,
        metavar="HOST:PORT",
        help=f"show the stream in a browser, at {DEFAULT_PAGE} unless told otherwise",
    )
    parser.add_argument(
        "--web-token",
        metavar="FILE",
        help="file with the token that a browser must know, made where it does not exist; other machines need one",
    )
