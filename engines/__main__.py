"""`python -m engines` in a checkout; the same as the installed command `streamaffect-engines`."""

import sys

from .cli import main

sys.exit(main())
