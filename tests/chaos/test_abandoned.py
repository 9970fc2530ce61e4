"""Programs that take a few estimates of a file and end: again and again, without an abort or a word."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[2]
TIMES = 20

BEGIN = """
import sys
from itertools import islice
import streamaffect
from streamaffect.sources.demo import DEMO_CLIP

def begin():
    return streamaffect.analyze(DEMO_CLIP, bundle=sys.argv[1])

"""
PROGRAMS = {
    "dropped": "assert len(list(islice(begin(), 5))) == 5\n",
    "kept to the end": "estimates = begin()\nassert len(list(islice(estimates, 5))) == 5\n",
    "kept in a circle": (
        "class Holder:\n    pass\n\nholder = Holder()\nholder.me, holder.estimates = holder, begin()\n"
        "next(holder.estimates)\ndel holder\n"
    ),
    "several at once": "all_of_them = [begin() for _ in range(3)]\n[next(one) for one in all_of_them]\nsys.exit()\n",
    "in a thread": (
        "import threading\nestimates = begin()\nthread = threading.Thread(target=lambda: next(estimates))\n"
        "thread.start()\nthread.join()\n"
    ),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("abandoned") / "bundle")


def ended(program: str, bundle: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(bundle)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_leaves_estimates_unread_ends_cleanly(bundle: Path, program: str) -> None:
    times = TIMES if program == "kept to the end" else TIMES // 5
    assert [ended(PROGRAMS[program], bundle) for _ in range(times)] == [(0, "")] * times


def test_a_program_that_ends_with_an_error_says_only_that(bundle: Path) -> None:
    code, said = ended("estimates = begin()\nnext(estimates)\nraise ValueError('mine')\n", bundle)
    assert code == 1
    assert said.splitlines()[-1] == "ValueError: mine"
    assert said.count("Traceback") == 1


CROSSES_A_FORK = """
import os
estimates = begin()
next(estimates)
child = os.fork()
if child == 0:
    try:
        for _ in estimates:
            pass
    except streamaffect.StreamAffectError as error:
        sys.exit(7 if "start another one" in str(error) else f"said: {error}")
    sys.exit("the child went on")
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert sum(1 for _ in estimates) > 200
"""


def test_estimates_that_were_begun_before_a_fork_are_refused_in_the_child(bundle: Path) -> None:
    assert ended(CROSSES_A_FORK, bundle) == (0, "")
