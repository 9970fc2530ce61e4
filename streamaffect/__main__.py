"""`python -m streamaffect …` is the same as `streamaffect …`."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and end the process; Ctrl-C also ends it in order while it is still being imported.

    A command that is over has closed all that is its own. The interpreter's end would free what is left of native
    libraries piece by piece, which takes a fifth of a second alone, seconds on a busy machine, and nobody watches
    over it.
    """
    try:
        from streamaffect.cli import main as run
        from streamaffect.verbs.signals.ending import leave_at_once

        leave_at_once(run(arguments))
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
