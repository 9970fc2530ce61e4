"""`python -m train.methods`, as recipes were run before: says what to type today, and does that."""

import runpy
import sys

if __name__ == "__main__":
    words = ["fit", *sys.argv[1:]]
    sys.stderr.write(f"note: python -m train.methods is python -m train {' '.join(words)} today\n")
    sys.argv[1:] = words
    training = str(__package__).rpartition(".")[0]  # train, or streamaffect.train where it is installed
    runpy.run_module(training, run_name="__main__", alter_sys=True)
