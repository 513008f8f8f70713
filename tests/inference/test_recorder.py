"""When a run is saved: beside it, often, in bounded memory, and at its end."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ampynb.algorithms.algorithm import SAMPLING, Draws
from ampynb.algorithms.scripted import Scripted, ScriptedState
from ampynb.inference import recorder as recorder_module
from ampynb.inference.events import Advanced, Failed, Finished, PhaseChanged, Saved
from ampynb.inference.folder_lock import FolderLock, is_locked
from ampynb.inference.recorder import Recorder
from ampynb.inference.store import Folder
from ampynb.inference.store_error import StoreError
from ampynb.results.history import History

NWALKERS, NDIM = 3, 2


class Watched:
    """A recorder, its folder and history, and a clock that the test moves."""

    def __init__(self, path: Path):
        path.mkdir()
        self.path, self.now, self.step = path, 100.0, 0
        self.history = History()
        self.folder = Folder(path, {})
        self.folder.begin()
        lock = FolderLock(path)
        script = Scripted(nwalkers=NWALKERS, burn=0)
        clock = self.clock
        self.recorder = Recorder(self.folder, lock, script, self.history, clock)

    def clock(self) -> float:
        return self.now

    def advance(self, n: int = 1) -> Saved | None:
        """Add draws, and tell of them."""
        steps = np.arange(self.step, self.step + n, dtype=float)
        position = np.broadcast_to(steps[:, None, None], (n, NWALKERS, NDIM)).copy()
        self.step += n
        stats = {"lp": position[..., 0]}
        state = ScriptedState(0, self.step)
        self.history.append(Draws(position, stats, SAMPLING), state)
        event = Advanced(SAMPLING, self.step, None, 0.0, 0.1 * self.step)
        return self.recorder.observe(event)

    def settle(self) -> None:
        """Wait for a commit that is under way."""
        if self.recorder._under_way is not None:
            self.recorder._under_way.exception(20)

    def saved_steps(self) -> int:
        return Folder.open(self.path).status["step"]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path / "run")
    yield watched
    watched.recorder.close()


def assert_whole(watched: Watched) -> None:
    draws = watched.history.draws()
    assert draws is not None
    np.testing.assert_array_equal(draws.position[:, 0, 0], np.arange(watched.step))


def test_the_first_draws_are_saved_at_once_and_then_now_and_then(watched: Watched):
    assert watched.advance() is None
    watched.settle()
    assert watched.saved_steps() == 1
    told = watched.advance()
    assert isinstance(told, Saved) and (told.step, told.path) == (1, str(watched.path))
    watched.now += 0.9 * recorder_module.SHORTEST_INTERVAL
    assert watched.advance() is None
    watched.settle()
    assert watched.saved_steps() == 1
    watched.now += 0.2 * recorder_module.SHORTEST_INTERVAL
    assert watched.advance() is None
    watched.settle()
    assert watched.saved_steps() == 4
    assert_whole(watched)


def test_a_slow_disk_is_left_in_peace(watched: Watched, monkeypatch):
    commit = watched.folder.commit

    def slow(*arguments) -> None:
        watched.now += 5.0
        commit(*arguments)

    monkeypatch.setattr(watched.folder, "commit", slow)
    watched.advance()
    watched.settle()
    watched.now += 0.9 * 5.0 / recorder_module.SHARE_OF_TIME
    watched.advance()
    watched.settle()
    assert watched.saved_steps() == 1
    watched.now += 0.2 * 5.0 / recorder_module.SHARE_OF_TIME
    watched.advance()
    watched.settle()
    assert watched.saved_steps() == 3


def test_what_is_saved_leaves_the_memory(watched: Watched):
    watched.advance(10)
    watched.settle()
    assert watched.history.unsaved() == []
    draws = watched.history.draws()
    assert draws is not None and isinstance(draws.position, np.memmap)
    watched.advance(5)
    assert len(watched.history.unsaved()) == 1
    assert_whole(watched)


def test_much_that_is_unsaved_is_saved_before_its_time(watched: Watched, monkeypatch):
    watched.advance()
    watched.settle()
    monkeypatch.setattr(recorder_module, "MOST_UNSAVED", 1000)
    row = NWALKERS * (NDIM + 1) * 8
    watched.advance(1000 // row)
    assert watched.saved_steps() == 1
    watched.advance(5)
    watched.settle()
    assert watched.saved_steps() == watched.step


def test_a_run_waits_for_a_disk_that_cannot_keep_up(watched: Watched, monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_UNSAVED", 1000)
    commit, may_go, begun = watched.folder.commit, threading.Event(), threading.Event()

    def held(*arguments) -> None:
        begun.set()
        assert may_go.wait(20)
        commit(*arguments)

    monkeypatch.setattr(watched.folder, "commit", held)
    watched.advance()
    assert begun.wait(20)
    for _ in range(5):  # it goes on beside the commit
        watched.advance()
    assert len(watched.history.unsaved()) == 6
    threading.Timer(0.2, may_go.set).start()
    told = watched.advance(100)  # and waits here
    assert may_go.is_set()
    assert isinstance(told, Saved) and told.step == 1
    watched.settle()
    assert watched.saved_steps() == watched.step == 106
    assert_whole(watched)


def test_nobody_sees_a_draw_twice_while_it_is_saved(watched: Watched, monkeypatch):
    release, seen = watched.history.release, []

    def look_and_release(*arguments) -> None:
        draws = watched.history.draws()  # committed, and not yet let go of
        assert draws is not None
        seen.append(len(draws.position))
        release(*arguments)

    monkeypatch.setattr(watched.history, "release", look_and_release)
    for _ in range(3):
        watched.advance(4)
        watched.settle()
        watched.now += 10.0
    watched.advance(4)
    watched.settle()
    assert seen == [4, 8, 12, 16]


@pytest.mark.parametrize(
    ("event", "reason", "message"),
    [
        (Finished("completed", 7, 2.5, "ended by ess(9)"), "completed", "ended by"),
        (Finished("stopped", 7, 2.5), "stopped", ""),
        (Failed("ValueError", "no", 7, 2.5), "failed", "ValueError: no"),
    ],
    ids=["completed", "stopped", "failed"],
)
def test_the_end_is_saved_before_it_is_told(watched: Watched, event, reason, message):
    watched.advance(6)
    watched.advance(1)
    told = watched.recorder.observe(event)
    assert isinstance(told, Saved) and told.step == 7
    status = Folder.open(watched.path).status
    assert (status["reason"], status["step"], status["seconds"]) == (reason, 7, 2.5)
    assert status["message"].startswith(message)
    assert watched.history.unsaved() == []
    assert_whole(watched)


def test_other_events_save_nothing(watched: Watched):
    assert watched.recorder.observe(PhaseChanged(SAMPLING)) is None
    assert watched.saved_steps() == 0


@pytest.mark.parametrize("at_the_end", [False, True])
def test_an_error_beside_the_run_is_raised_at_its_next_event(
    watched: Watched, monkeypatch, at_the_end: bool
):
    watched.advance()
    watched.settle()
    watched.now += 10.0

    def fails(*arguments) -> None:
        raise StoreError("no room")

    monkeypatch.setattr(watched.folder, "commit", fails)
    watched.advance(3)
    watched.settle()
    with pytest.raises(StoreError, match="no room"):
        if at_the_end:
            watched.recorder.observe(Finished("completed", 4, 1.0))
        else:
            watched.advance()
    assert watched.saved_steps() == 1
    assert_whole(watched)


def test_at_the_close_others_may_write_and_no_thread_is_left(watched: Watched):
    watched.advance()
    assert is_locked(watched.path)
    watched.recorder.close()
    assert is_locked(watched.path) is False
    assert watched.saved_steps() == 1
    for thread in threading.enumerate():
        if thread.name == "ampynb-recorder":
            thread.join(20)
            assert not thread.is_alive()
