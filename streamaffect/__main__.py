"""`python -m streamaffect …` is the same as `streamaffect …`."""

import sys

from streamaffect.cli import main

if __name__ == "__main__":
    sys.exit(main())
