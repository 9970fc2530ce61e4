"""What can be set of a fleet, by section of its file; `streamaffect.fleet.config` reads and checks it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streamaffect.settings import ControlSettings, FeedSettings, WebSettings

DEFAULT_JOINT_ADDRESS = "tcp://127.0.0.1:5560"
Amount = Annotated[float, Meta(ge=0.0, le=4096.0)]
Seconds = Annotated[float, Meta(gt=0.0, le=3600.0)]


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[cluster]: the Ray cluster.

    address:    HOST:PORT of a cluster that runs; empty makes one on this machine that ends with the command
    cpus, gpus: what a cluster that is made here may give to groups; 0 is what they ask for at the start, or what this
                machine has, whichever is more; for gpus, what Ray finds
    token_file: file with the token that a cluster of others asks for; empty is Ray's own places (RAY_AUTH_TOKEN,
                RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token). A cluster that is made here makes one for itself
    dashboard:  of a cluster that is made here: serve Ray's dashboard on loopback; it needs ray[default]
    """

    address: str = ""
    cpus: Amount = 0.0
    gpus: Amount = 0.0
    token_file: str = ""
    dashboard: bool = False


class SupervisionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[supervision]: when a group counts as dead, and how it is started again.

    silence_s:     a process that has not answered for so long is replaced; one that has not been asked for three times
                   as long ends itself, so that no camera has two masters
    start_s:       how long a group may take to open its cameras
    drain_s:       how long a group may take to end in order
    backoff_min_s: the wait after a second failure in a row; each further one is twice as long. After a first failure
                   there is none
    backoff_max_s: the longest such wait
    stable_s:      a group that has run for so long has no failures behind it any more
    """

    silence_s: Seconds = 5.0
    start_s: Seconds = 120.0
    drain_s: Seconds = 5.0
    backoff_min_s: Seconds = 0.5
    backoff_max_s: Seconds = 30.0
    stable_s: Seconds = 30.0

    def __post_init__(self) -> None:
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_min_s is {self.backoff_min_s:g}, above backoff_max_s {self.backoff_max_s:g}, the longest "
                "wait; set both"
            )


class GroupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[groups.NAME]: cameras that share a process, and with it a model.

    sources:  as --source of a run, each "SOURCE" or "name=SOURCE"
    cpus:     what the cluster counts for the group; a quarter of one is allowed
    gpus:     the same; the process sees that many GPUs and no other
    labels:   labels of Ray's that a machine must have, for a camera that is plugged in there: {room = "lab"}
    settings: sections of a run's settings, over those of [settings]
    """

    sources: Annotated[list[str], Meta(min_length=1)]
    cpus: Annotated[float, Meta(gt=0.0, le=4096.0)] = 1.0
    gpus: Amount = 0.0
    labels: dict[str, str] = {}
    settings: dict[str, dict[str, Any]] = {}


class JointFeedSettings(FeedSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[feed]: as of a run, of the address at which all groups are published."""

    bind: str = DEFAULT_JOINT_ADDRESS


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a fleet.

    settings: sections of a run's settings, for all groups
    """

    cluster: ClusterSettings = ClusterSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    feed: JointFeedSettings = JointFeedSettings()
    control: ControlSettings = ControlSettings()
    web: WebSettings = WebSettings()
    settings: dict[str, dict[str, Any]] = {}
    groups: Annotated[dict[str, GroupSettings], Meta(min_length=1)]
