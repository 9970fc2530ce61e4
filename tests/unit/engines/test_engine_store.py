"""The engine cache, written: whole or not at all, one at a time."""

import threading
from pathlib import Path

import pytest

from engines.store import EngineStore
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import load_bundle
from tests.support.bundles import write_bundle
from tests.support.gpu.engine_entries import make_key, publish


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "new" / "cache")


def visible(store: EngineStore) -> list[str]:
    return sorted(entry.name for entry in store.root.iterdir() if entry.name != ".lock")


def test_a_build_that_fails_leaves_nothing(store: EngineStore) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        store.locked(on_wait=lambda: None),
        store.workspace() as workspace,
    ):
        (workspace / "half").write_text("…")
        raise KeyboardInterrupt
    assert visible(store) == []


def test_the_cache_is_created_closed_to_others(store: EngineStore) -> None:
    with store.locked(on_wait=lambda: None):
        assert store.root.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_build_has_left_is_removed_by_the_next(store: EngineStore) -> None:
    store.root.mkdir(parents=True, mode=0o700)
    leftover = store.root / ".abc.part"
    leftover.mkdir()
    (leftover / "half").write_text("…")
    with store.locked(on_wait=lambda: None):
        assert visible(store) == []


def test_a_second_build_waits_and_is_told_so(store: EngineStore) -> None:
    order: list[str] = []
    told = threading.Event()

    def second() -> None:
        with store.locked(on_wait=told.set):
            order.append("second")

    with store.locked(on_wait=lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EngineError, match=r"cannot be written .* STREAMAFFECT_CACHE"),
        EngineStore(tmp_path / "file" / "cache").locked(on_wait=lambda: None),
    ):
        pass


def test_a_removed_engine_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    engine = publish(root, make_key(load_bundle(write_bundle(tmp_path / "bundle"))))
    EngineStore(root).remove(engine.folder)
    assert visible(EngineStore(root)) == []
