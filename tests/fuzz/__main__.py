"""The fuzz tests for as long as is wanted, in rounds, each with new examples.

    python -m tests.fuzz --minutes 60

What fails is kept in `.hypothesis` and tried first by every later run, that of the whole suite included. Ends with the
round in which the time is up, or with the first one that fails.
"""

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.effort import EXAMPLES

FOLDER = Path(__file__).parent


def main() -> int:
    """Fuzz; returns pytest's exit code of the last round."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to try (default: %(default)g)")
    parser.add_argument("--examples", type=int, default=2000, help="of each test in a round (default: %(default)s)")
    parser.add_argument("-k", default="", metavar="WORDS", help="only tests whose names match, as for pytest")
    options = parser.parse_args()
    end_s = time.monotonic() + options.minutes * 60
    code = number = 0
    while code == 0 and time.monotonic() < end_s:
        number += 1
        code = play_round(number, options.examples, options.k)
    return code


def play_round(number: int, examples: int, words: str) -> int:
    """All tests once, in a process of their own, so that no round inherits what another has left behind."""
    seed = secrets.randbelow(2**32)
    sys.stdout.write(f"round {number}: seed {seed}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", str(FOLDER), "-q", "--timeout=0", f"--hypothesis-seed={seed}"]
    if words:
        command += ["-k", words]
    environment = os.environ | {EXAMPLES: str(examples)}
    return subprocess.run(command, cwd=FOLDER.parents[1], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
