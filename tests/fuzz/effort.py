"""How hard the fuzz tests try: little in the whole suite, and as much as is wanted by `python -m tests.fuzz`."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = "STREAMAFFECT_FUZZ_EXAMPLES"

# Data is drawn to be refused, and files are written into one folder again and again: both are meant.
_WANTED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
_examples = int(os.environ.get(EXAMPLES, "0"))

effort = settings(max_examples=_examples or 60, deadline=None, suppress_health_check=_WANTED)
# Of state machines, each of whose examples is a whole story.
machine_effort = settings(
    max_examples=_examples // 4 or 15,
    stateful_step_count=100 if _examples else 25,
    deadline=None,
    suppress_health_check=_WANTED,
)
