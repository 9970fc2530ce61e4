"""The Ray cluster of a fleet: one that runs already, or one of its own on this machine that ends with it.

Ray is told by its environment what it must not do: report its use, and talk to whoever has no token. What it starts
for us dies with this process, whichever way that goes (the system's own fate sharing on Linux), in the thread that has
started it: so that is the main one. Its files lie in a folder of this user alone, which goes when the cluster does; one
that a killed fleet has left is removed by the next.
"""

import fcntl
import logging
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamaffect.errors import ConfigError, FleetError
from streamaffect.fleet.reaper import reaped
from streamaffect.fleet.settings import ClusterSettings
from streamaffect.paths import from_home

log = logging.getLogger(__name__)

INSTALL = "pip install 'streamaffect[ray]'"
PREFIX = "streamaffect-fleet-"
LONGEST_FOLDER = 40  # characters, since Ray's sockets stand in it and a socket's path has 107
STORE_BYTES = 80 << 20  # the least that Ray takes; nothing of ours goes through its object store
TOKEN, TOKEN_PATH, MODE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"
FROM_THE_START = {
    MODE: "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",  # it would be 15, and everything else on a busy machine would come first
    # Of its own it would print to our output that a process has died, which we say ourselves.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster to which this process is connected.

    folder:  for what belongs to this fleet; for this user alone
    address: where further machines would join it
    own:     it ends with this process
    """

    folder: Path
    address: str
    own: bool


def require_ray() -> None:
    """Raise ConfigError where Ray is missing, and say how to install it."""
    if find_spec("ray") is None:
        raise ConfigError(f"streamaffect fleet needs Ray: {INSTALL}")


@contextmanager
def connected(settings: ClusterSettings, *, cpus: float) -> Iterator[Cluster]:
    """In here there is a cluster; one of our own ends with the block, at the latest with the process.

    cpus: what the groups ask for in all
    Raises ConfigError where Ray is missing or wants a token, FleetError where there is no cluster at the address.
    """
    require_ray()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        stack.enter_context(reaped(folder))
        _prepare(settings, folder)
        stack.callback(_leave)  # also what has come half-way
        with _our_signals():
            address = _join(settings) if settings.address else _start(settings, folder, cpus)
        yield Cluster(folder, address, own=not settings.address)


def _prepare(settings: ClusterSettings, folder: Path) -> None:
    """Set what Ray reads from its environment, before it is imported. Raises ConfigError where a token is missing."""
    for name in ("RAY_ADDRESS", "RAY_JOB_CONFIG_JSON_ENV_VAR"):  # would lead us to a cluster that nobody has named
        os.environ.pop(name, None)
    os.environ.update(FROM_THE_START)
    if not settings.address:
        token = folder / "token"
        descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        os.environ.pop(TOKEN, None)
        os.environ[TOKEN_PATH] = str(token)
    elif settings.token_file:
        token = from_home(settings.token_file)
        if not token.is_file():
            raise ConfigError(
                f"cluster.token_file = {settings.token_file!r}: no such file; it holds the cluster's token"
            )
        os.environ.pop(TOKEN, None)
        os.environ[TOKEN_PATH] = str(token)
    elif not (os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH) or from_home("~/.ray/auth_token").is_file()):
        raise ConfigError(
            f"cluster {settings.address}: a fleet joins with a token alone, so that not everybody can run programs "
            "there: `ray get-auth-token --generate` makes one, docs/fleet.md says where it goes; then give it as "
            "cluster.token_file"
        )


def _start(settings: ClusterSettings, folder: Path, cpus: float) -> str:
    import ray

    cores = os.cpu_count() or 1
    total = settings.cpus or max(float(cores), cpus)
    if total > cores:
        log.warning(
            "the groups ask for %g CPUs, and this machine has %d: under load, all streams are analysed more seldom",
            total,
            cores,
        )
    try:
        context: Any = ray.init(
            num_cpus=int(-(-total // 1)),
            num_gpus=int(settings.gpus) if settings.gpus else None,
            object_store_memory=STORE_BYTES,
            include_dashboard=settings.dashboard,
            dashboard_host="127.0.0.1",
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=str(folder / "ray"),  # it opens that to everybody; ours stays closed
        )
    except Exception as error:
        raise FleetError(f"Ray does not start here: {_first_line(error)}; --log-level debug says more") from error
    if settings.dashboard:
        log.warning("Ray's dashboard: http://%s", context.dashboard_url)
    return str(context.address_info["gcs_address"])


def _join(settings: ClusterSettings) -> str:
    import ray

    try:
        ray.init(address=settings.address, log_to_driver=False, configure_logging=False)
    except Exception as error:
        raise FleetError(
            f"cluster {settings.address}: {_first_line(error)}; is that the address that `ray start --head` has named, "
            "and is this its token?",
            transient=True,
        ) from error
    return settings.address


def _leave() -> None:
    import ray

    with suppress(Exception):
        ray.shutdown()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def _our_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it is started; it is given back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for this fleet alone, held by a lock, so that others see whether it is in use."""
    place = Path(tempfile.gettempdir())
    if len(str(place)) + len(PREFIX) + 8 > LONGEST_FOLDER:
        place = Path("/tmp")
    _remove_left(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_left(place: Path) -> None:
    """Remove folders of fleets that were killed; one in use is locked by its fleet."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
