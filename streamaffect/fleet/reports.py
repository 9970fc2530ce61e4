"""What goes between the supervisor and a group's process: JSON both ways, so that neither has to trust an object."""

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do.

    group:      its name
    settings:   all settings of the run, by section, without those of its feed
    host:       address at which the supervisor, on another machine, can reach the feed; empty where it is on this one
    socket:     where the socket of the feed goes, on the supervisor's machine
    reader:     public key of the one who may read a feed that leaves the machine
    silence_s:  end when nobody has asked for so long
    """

    group: str
    settings: dict[str, dict[str, object]]
    host: str = ""
    socket: str = ""
    reader: str = ""
    silence_s: float = 15.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a process does.

    state:       starting, running, or over
    feed:        where it publishes, once it runs
    key:         public key of that feed; empty where it is not encrypted
    code:        once it is over, the exit code that the run would have had: 0 its sources have ended, 2 what no restart
                 cures
    error:       why it ended, one line for people
    log:         warnings since the last report
    unreachable: nobody answers there any more: the process is gone, and maybe its machine
    process:     its number; cpu_s: CPU seconds so far; memory_mb: highest resident memory so far, MiB
    """

    state: str
    feed: str = ""
    key: str = ""
    code: int = 0
    error: str = ""
    log: list[str] = []
    unreachable: bool = False
    process: int = 0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


decode_order = msgspec.json.Decoder(Order).decode
decode_report = msgspec.json.Decoder(Report).decode
encode = msgspec.json.Encoder().encode
