"""Settings for all tests: property tests have no deadline, since the machine may be busy, and Ctrl-C works."""

import signal

from hypothesis import settings

settings.register_profile("streamaffect", deadline=None)
settings.load_profile("streamaffect")


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, wherever pytest itself was started.

    A shell without job control starts background commands with SIGINT ignored, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
