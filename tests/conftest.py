"""What holds for all tests: no deadline for property tests, since the machine may be busy; Ctrl-C works; no engine that
the developer has built is taken, and the shipped bundle runs in fp32, whose numbers are the same on every machine; what
takes long begins first.
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from streamaffect.runtime.bundle import load_bundle
from tests.support.variants.findings import pinned_to_fp32

settings.register_profile("streamaffect", deadline=None)
settings.load_profile("streamaffect")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the programs that tests start, and keep PyTorch's threads from waiting for each other.

    A shell without job control starts background commands with SIGINT ignored, and children inherit that. Where another
    program has taken a core, every step of two threads waits for the slower one, for minutes in all. Hundreds of
    programs are started: one that may not keep what it has compiled compiles all of it each time, for minutes too.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # the order of files is that of pytest_collection_modifyitems
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no worker is left alone with one; otherwise at random."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def fp32_pin() -> tuple[str, bytes]:
    """A file for an engine cache: its name, and a trial of the shipped bundle's variants that fp32 has won."""
    return pinned_to_fp32(load_bundle())


@pytest.fixture(autouse=True)
def private_engine_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, fp32_pin: tuple[str, bytes]
) -> Path:
    """An engine cache of the test's own, for the programs that it starts too."""
    folder = tmp_path_factory.mktemp("engine-cache")
    monkeypatch.setenv("STREAMAFFECT_CACHE", str(folder))
    name, content = fp32_pin
    (folder / name).write_bytes(content)
    (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where control sockets stand by default: of the test's own, and short, since a socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture(autouse=True)
def no_log_to_a_captured_stream() -> Iterator[None]:
    """No handler keeps the standard error of a test that is over: a later test would print "Logging error" for it.

    The command line sets one at the root; a library that finds none at its import, as Lightning, sets its own.
    """
    level = logging.root.level
    yield
    logging.root.setLevel(level)
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            for handler in [one for one in logger.handlers if type(one) is logging.StreamHandler]:
                logger.removeHandler(handler)
