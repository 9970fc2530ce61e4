#!/usr/bin/env python3
"""Start the stream from a checkout: `python run_stream.py --source webcam`. The same as `streamaffect run …`."""

import sys

if __name__ == "__main__":
    words = sys.argv[1:]
    try:
        from streamaffect.__main__ import main

        # Here even `--help` is about running.
        sys.exit(main(["run", *words] if not words or words[0].startswith("-") else words))
    except KeyboardInterrupt:  # before the command line could be loaded
        sys.exit(0)
