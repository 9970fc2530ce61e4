"""`python -m streamaffect …` is the same as `streamaffect …`."""

import sys


def main() -> int:
    """Run the command line; Ctrl-C also ends it in order while it is still being imported."""
    try:
        from streamaffect.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
