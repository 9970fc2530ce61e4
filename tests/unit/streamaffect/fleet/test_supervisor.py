"""A supervisor over a told cluster: who is started, where, when again, and what is said of streams meanwhile."""

from pathlib import Path

import msgspec
import pytest

from streamaffect.errors import ControlError
from streamaffect.feed.commands import GroupReport, Streams
from streamaffect.fleet.ledger import Ledger
from streamaffect.fleet.settings import FleetConfig
from streamaffect.fleet.supervisor import Supervisor
from streamaffect.messages import Event, Health
from tests.support.control.desks import meta
from tests.support.control.fleets import ToldFeed, ToldRooms, ToldSeat

LOOK_S = 0.5


class Told:
    """A supervisor whose time passes as a test says."""

    def __init__(self, folder: Path, rooms: ToldRooms, *groups: str, **supervision: float) -> None:
        self.config = settings(*groups, **supervision)
        self.rooms = rooms
        self.feed = ToldFeed()
        self.ledger = Ledger()
        self._now_s = 1e6
        self.supervisor = Supervisor(
            self.config, rooms, self.feed, self.ledger, folder=folder, clock=lambda: self._now_s
        )

    def passes(self, seconds: float) -> None:
        """So much time, with a look each half second; the supervisor's own clock is not asked."""
        for _ in range(max(1, round(seconds / LOOK_S))):
            self._now_s += LOOK_S
            self.supervisor.look(self._now_s)

    def runs(self, *names: str) -> dict[str, ToldSeat]:
        """Let the newest processes of these groups run, and be heard."""
        self.passes(LOOK_S)
        seats = {name: self.seat(name) for name in names}
        for seat in seats.values():
            seat.runs()
        self.passes(LOOK_S)
        for name, seat in seats.items():
            self.ledger.note(seat.feed, msgspec.structs.replace(meta(name), run=seat.order.settings["run"]["id"]))
        self.passes(LOOK_S)
        return seats

    def seat(self, group: str) -> ToldSeat:
        return [seat for seat in self.rooms.seats if seat.order.group == group][-1]

    def group(self, name: str) -> GroupReport:
        return next(one for one in self.supervisor.groups() if one.group == name)

    def events(self, stream: str) -> list[str]:
        return [one.event for one in self.feed.said if isinstance(one, Event) and one.stream == stream]


def settings(*groups: str, **supervision: float) -> FleetConfig:
    known = {name: {"sources": [f"{name}=synthetic"]} for name in groups}
    return msgspec.convert({"groups": known, "supervision": supervision}, FleetConfig)


def test_groups_run_where_there_is_room_and_are_heard(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1, 1), "a", "b")
    seats = told.runs("a", "b")
    assert {told.group(name).node for name in "ab"} == {"address-of-node-0", "address-of-node-1"}
    assert set(told.feed.joined) == {seat.feed for seat in seats.values()}
    assert {told.group(name).state for name in "ab"} == {"running"}
    # Here the feed is a socket of this user, and elsewhere an address that only the owner of a key can read.
    assert [seats[name].order.host for name in "ab"] == ["", "address-of-node-1"]


def test_a_process_that_dies_is_started_again_at_once_as_another_run_of_the_same_streams(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a")
    first = told.runs("a")["a"]
    first.ends(code=1, error="it has died")
    told.passes(LOOK_S)
    second = told.seat("a")
    assert second is not first
    assert second.order.settings["run"]["id"] != first.order.settings["run"]["id"]
    assert second.order.settings["run"]["sources"] == first.order.settings["run"]["sources"]
    assert first.feed not in told.feed.joined  # what it still publishes is heard by nobody
    assert told.group("a").restarts == 1


def test_subscribers_are_told_that_a_stream_is_away_why_and_that_it_is_back(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a")
    told.runs("a")["a"].ends(code=1, error="it has died")
    told.passes(2.0)
    health = [one for one in told.feed.said if isinstance(one, Health)]
    assert {(one.state, one.fault) for one in health} == {("lost", "group a: it has died")}
    assert len(health) >= 2  # as often as a run says how it does
    told.runs("a")
    assert told.events("a") == ["source_lost", "source_back"]
    (back,) = [one for one in told.feed.said if isinstance(one, Event) and one.event == "source_back"]
    assert back.downtime_s is not None
    assert back.downtime_s > 1.0


def test_each_further_failure_in_a_row_waits_longer_up_to_a_limit_and_a_stable_run_forgives(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a", backoff_min_s=2.0, backoff_max_s=4.0, stable_s=10.0)
    waits = []
    for _ in range(5):
        told.passes(LOOK_S)
        count = len(told.rooms.seats)
        told.seat("a").ends(code=1, error="x")
        waited = 0
        while len(told.rooms.seats) == count:
            told.passes(LOOK_S)
            waited += 1
        waits.append((waited - 1) * LOOK_S)
    assert waits == [0.0, 2.0, 4.0, 4.0, 4.0]
    told.runs("a")
    told.passes(12.0)
    count = len(told.rooms.seats)
    told.seat("a").ends(code=1, error="x")
    told.passes(LOOK_S)
    assert len(told.rooms.seats) == count + 1


def test_a_silent_process_is_given_up_and_its_group_goes_to_another_node(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1, 1), "a", silence_s=3.0)
    seat = told.runs("a")["a"]
    seat.is_silent = True
    told.passes(2.0)
    assert told.seat("a") is seat
    told.passes(3.0)
    assert seat.is_killed
    assert told.seat("a").node == "address-of-node-1"


def test_a_group_that_cannot_be_reached_any_more_goes_to_another_node_at_once(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(2, 1), "a")
    seat = told.runs("a")["a"]
    seat.ends(code=1, error="cannot be reached", unreachable=True)
    told.passes(2 * LOOK_S)
    assert seat.is_killed  # should it live on after all
    assert told.seat("a").node == "address-of-node-1"
    assert told.rooms.free == {"node-0": 2.0, "node-1": 0.0}


def test_a_silent_process_on_the_only_node_starts_there_again_without_a_wait(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a", silence_s=3.0)
    seat = told.runs("a")["a"]
    seat.is_silent = True
    told.passes(4.5)
    assert seat.is_killed
    assert told.seat("a") is not seat


def test_a_mistake_that_no_restart_cures_is_told_and_not_tried_again(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(2), "a", "b")
    told.runs("b")
    told.seat("a").ends(code=2, error="no such file")
    told.passes(100.0)
    assert (told.group("a").state, told.group("a").detail) == ("failed", "no such file")
    assert len([seat for seat in told.rooms.seats if seat.order.group == "a"]) == 1
    assert told.supervisor.has_failed
    assert not told.supervisor.is_done  # the other one goes on


def test_sources_that_have_ended_are_no_failure(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a")
    told.runs("a")["a"].ends()
    told.passes(5.0)
    assert told.group("a").state == "ended"
    assert told.supervisor.is_done
    assert not told.supervisor.has_failed
    assert told.rooms.free == {"node-0": 1.0}


def test_a_group_without_room_waits_says_what_it_needs_and_starts_once_there_is_some(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(tmp_path, ToldRooms(1), "a", "b")
    told.runs("a")
    told.passes(4.0)
    assert told.group("b").detail == "no machine has 1 CPU(s) free"
    assert len([one for one in caplog.messages if "no machine has" in one]) == 1
    told.rooms.free["node-1"] = 1.0
    told.runs("b")
    assert (told.group("b").state, told.group("b").detail) == ("running", "")


def test_a_drained_group_ends_in_order_and_stays_away_until_it_is_told_to_restart(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a")
    seat = told.runs("a")["a"]
    told.supervisor.drain("a")
    assert seat.is_stopping
    seat.ends()
    told.passes(50.0)
    assert told.group("a").state == "drained"
    assert told.events("a") == ["stream_removed"]
    assert told.rooms.free == {"node-0": 1.0}
    told.supervisor.restart("a")
    told.runs("a")
    assert told.group("a").state == "running"
    assert told.group("a").restarts == 0  # nobody but a user has restarted it


def test_a_group_that_does_not_end_when_it_is_drained_is_killed(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a", drain_s=2.0)
    seat = told.runs("a")["a"]
    told.supervisor.drain("a")
    seat.is_silent = True
    told.passes(3.0)
    assert seat.is_killed
    assert told.group("a").state == "drained"


def test_a_rolling_restart_takes_the_next_group_only_when_the_one_before_runs_again(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(3), "a", "b", "c")
    old = told.runs("a", "b", "c")
    told.supervisor.restart(None)
    for name, others in (("a", "bc"), ("b", "c"), ("c", "")):
        told.passes(LOOK_S)
        assert old[name].is_stopping
        assert not any(old[other].is_stopping for other in others)
        old[name].ends()
        told.runs(name)
    assert {told.group(name).state for name in "abc"} == {"running"}


def test_a_rolling_restart_ends_at_a_group_that_does_not_run_again(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(2), "a", "b")
    old = told.runs("a", "b")
    told.supervisor.restart(None)
    told.passes(LOOK_S)
    old["a"].ends()
    told.passes(LOOK_S)
    told.seat("a").ends(code=2, error="broken")
    told.passes(5.0)
    assert not old["b"].is_stopping


def test_a_drained_node_is_emptied_and_takes_groups_again_when_it_is_let_in(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1, 1), "a")
    seat = told.runs("a")["a"]
    told.supervisor.drain("address-of-node-0")
    told.passes(LOOK_S)
    seat.ends()
    told.runs("a")
    assert told.group("a").node == "address-of-node-1"
    told.supervisor.drain("address-of-node-1")
    told.passes(LOOK_S)
    told.seat("a").ends()
    told.passes(10.0)
    assert told.group("a").state == "waiting"
    told.supervisor.restart("address-of-node-0")
    told.runs("a")
    assert told.group("a").node == "address-of-node-0"


def test_other_settings_add_remove_and_restart_groups_and_leave_the_rest_alone(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(9), "a", "b", "c")
    old = told.runs("a", "b", "c")
    new = msgspec.structs.replace(settings("a", "c", "d"), supervision=told.config.supervision)
    changed = msgspec.structs.replace(new.groups["c"], cpus=2.0)
    done = told.supervisor.take(msgspec.structs.replace(new, groups={**new.groups, "c": changed}))
    assert done == ["group b: is removed", "group c: is started anew with its new settings", "group d: is added"]
    assert [old[name].is_stopping for name in "abc"] == [False, True, True]
    old["b"].ends()
    old["c"].ends()
    told.runs("c", "d")
    assert [one.group for one in told.supervisor.groups()] == ["a", "c", "d"]
    assert told.rooms.free == {"node-0": 9 - 1 - 2 - 1}
    assert told.events("b") == ["stream_removed"]


def test_commands_go_to_a_group_that_runs_and_are_refused_for_others(tmp_path: Path) -> None:
    told = Told(tmp_path, ToldRooms(1), "a", "b")
    told.runs("a")
    told.supervisor.ask("a", Streams(), 1.0)
    assert told.seat("a").asked == [Streams()]
    with pytest.raises(ControlError, match="group b does not run at the moment: it is waiting"):
        told.supervisor.ask("b", Streams(), 1.0)
    with pytest.raises(ControlError, match="group 'x': there is none of that name; there is a, b"):
        told.supervisor.ask("x", Streams(), 1.0)
    with pytest.raises(ControlError, match="'x': is neither a group nor a node"):
        told.supervisor.drain("x")
    with pytest.raises(ControlError, match="'x': is no group and no drained node"):
        told.supervisor.restart("x")
