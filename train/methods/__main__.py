"""`python -m train.methods`, as recipes were run before: says what to type today, and does it."""

import sys

from ..cli import main

if __name__ == "__main__":
    words = ["fit", *sys.argv[1:]]
    sys.stderr.write(f"note: python -m train.methods is python -m train {' '.join(words)} today\n")
    sys.exit(main(words))
