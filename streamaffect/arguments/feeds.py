"""The verbs of a feed: listen to one, join several, and make keys for them."""

import argparse
from pathlib import Path

from streamaffect.arguments.verb import Verbs, add_verb, finish

PROXY_EXAMPLES = """\
examples:
  streamaffect proxy tcp://127.0.0.1:5556 tcp://127.0.0.1:5557
  streamaffect proxy tcp://10.0.0.7:5556 tcp://10.0.0.8:5556 --keys tcp://10.0.0.7:5556=keys/a --keys keys/b
  streamaffect listen tcp://127.0.0.1:5560
"""


def add_listen(verbs: Verbs) -> None:
    """The verb `listen`."""
    parser = add_verb(
        verbs,
        "listen",
        summary="show a feed, or print it as JSON lines",
        description="Subscribe to a feed and show it live, or print one JSON line per message for pipes.",
    )
    parser.add_argument("address", nargs="?", default="tcp://127.0.0.1:5556", help="default: %(default)s")
    parser.add_argument("--stream", metavar="NAME", help="only this stream")
    parser.add_argument("--json", action="store_true", help="one line per message on standard output")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="key folder of a client, for an encrypted feed")
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds")
    finish(parser, _listen)


def _listen(options: argparse.Namespace) -> int:
    from streamaffect.verbs.listen import listen

    return listen(
        options.address,
        stream=options.stream,
        as_json=options.json,
        keys=options.keys,
        max_seconds=options.max_seconds,
    )


def add_proxy(verbs: Verbs) -> None:
    """The verb `proxy`."""
    parser = add_verb(
        verbs,
        "proxy",
        summary="join several feeds into one address",
        description="Publish what several feeds send at one address, byte for byte, with the last values for those who "
        "come late. A stream's name may be used by one of them.",
        epilog=PROXY_EXAMPLES,
    )
    parser.add_argument("feeds", nargs="+", metavar="ADDRESS", help="a feed; it need not be there yet")
    parser.add_argument(
        "--bind", default="tcp://127.0.0.1:5560", metavar="ADDRESS", help="where to publish; default: %(default)s"
    )
    parser.add_argument("--insecure-bind", action="store_true", help="let other machines read it unencrypted")
    parser.add_argument("--server-key", default="", metavar="FILE", help="key of the proxy's own feed, to encrypt it")
    parser.add_argument("--allowed-clients", default="", metavar="DIR", help="public keys of those who may read it")
    parser.add_argument(
        "--keys",
        action="append",
        default=[],
        metavar="[ADDRESS=]DIR",
        help="key folder of a client, for encrypted feeds; repeatable, one for a feed",
    )
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds")
    finish(parser, _proxy)


def _proxy(options: argparse.Namespace) -> int:
    from streamaffect.settings import FeedSettings
    from streamaffect.verbs.proxy import proxy

    settings = FeedSettings(
        bind=options.bind,
        insecure_bind=options.insecure_bind,
        server_key=options.server_key,
        allowed_clients=options.allowed_clients,
    )
    return proxy(options.feeds, settings, keys=options.keys, max_seconds=options.max_seconds)


def add_keys(verbs: Verbs) -> None:
    """The verb `keys`."""
    parser = add_verb(
        verbs,
        "keys",
        summary="make the keys of an encrypted feed",
        description="Write CURVE key pairs for a feed and a client, for feeds that other machines may read.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--client", default="client", metavar="NAME", help="name of the client (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace this client's keys; the old ones end")
    finish(parser, _keys)


def _keys(options: argparse.Namespace) -> int:
    from streamaffect.verbs.keys import keys

    return keys(options.folder, client=options.client, overwrite=options.overwrite)
