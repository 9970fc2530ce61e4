#!/usr/bin/env python3
"""Start the stream from a checkout: `python run_stream.py --source webcam`. The same as `streamaffect run …`."""

import sys

from streamaffect.cli import main

if __name__ == "__main__":
    sys.exit(main())
