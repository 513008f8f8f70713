"""Runs with ``path=``: what they write, and what they do when they cannot."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference import recorder
from ampynb.inference.events import Advanced, Event, Finished, Saved
from ampynb.inference.folder_lock import is_locked
from ampynb.inference.run import RunFailedError
from tests.inference.broken_runs import assert_same, engine_of, run, until

SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)
LONG = Scripted(nwalkers=3, burn=20, iterations=3000)
ENDLESS = Scripted(nwalkers=3, burn=0, iterations=10**7, seconds_per_step=0.001)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each chunk be committed, and the run wait for the commit before."""
    monkeypatch.setattr(recorder, "MOST_UNSAVED", 0)


class Listener:
    """Keeps every event."""

    def __init__(self):
        self.events: list[Event] = []

    def show(self, event: Event) -> None:
        self.events.append(event)


@pytest.mark.usefixtures("eager")
def test_a_saved_run_draws_what_one_in_memory_draws(tmp_path: Path):
    listener = Listener()
    options: dict = {"path": tmp_path / "run", "progress": listener}
    saved = engine_of().run(sampler=LONG, **options)
    assert_same(saved, run(engine_of(), LONG))
    assert isinstance(saved.draws, np.memmap)
    told = [event for event in listener.events if isinstance(event, Saved)]
    assert len(told) > 2
    assert [event.step for event in told] == sorted(event.step for event in told)
    assert told[-1].step == 3020
    assert isinstance(listener.events[-1], Finished), "saved before it is told"
    assert listener.events[-2] is told[-1]
    assert all(json.loads(json.dumps(e.as_dict())) for e in listener.events)


def test_the_folder_is_readable_by_hand(tmp_path: Path):
    result = run(engine_of(), SCRIPT, path=tmp_path / "run")
    position = np.fromfile(tmp_path / "run" / "sampling.draws.position.bin")
    np.testing.assert_array_equal(position.reshape(60, 3, 2), result.draws)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["status"]["reason"] == "completed"
    assert manifest["about"]["seed"] == 5
    assert manifest["about"]["algorithm"]["options"]["burn"] == 20
    assert [row["name"] for row in manifest["about"]["table"]] == [
        "slope",
        "intercept",
    ]


# Two at once


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path):
    first = engine_of().start(sampler=ENDLESS, path=tmp_path / "run", progress="none")
    until(lambda: first.status.step > 50)
    for resume in (True, False, "auto"):
        with pytest.raises(
            anb.StoreError, match=r"expected .* for this run alone; got"
        ):
            run(engine_of(), ENDLESS, path=tmp_path / "run", resume=resume)
    first.stop()
    result = first.wait(20)
    assert len(result.draws) == first.status.step
    again = run(engine_of(), ENDLESS, path=tmp_path / "run", resume=True, iterations=1)
    assert_same(again, result)


# A disk that is full, or cannot be written


def assert_intact(path: Path, result: anb.Result) -> None:
    """Assert that what was saved is the beginning of what was drawn."""
    stored = anb.open_run(path)
    assert len(result.warmup) > 0
    np.testing.assert_array_equal(stored.draws, result.draws[: len(stored.draws)])
    warmup = result.warmup[: len(stored.warmup)]
    np.testing.assert_array_equal(stored.warmup, warmup)
    whole = run(engine_of(), LONG)
    np.testing.assert_array_equal(result.draws, whole.draws[: len(result.draws)])


class FullDisk:
    """Lets so many bytes be written, or so many calls be made, and no more."""

    def __init__(self, room: int):
        self.room = room

    def fsync(self, number: int) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("room", [8, 15, 25])
def test_a_full_disk_ends_the_run_and_costs_no_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
):
    path, disk = tmp_path / "run", FullDisk(room)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        with pytest.raises(
            RunFailedError, match=r"failed after \d+ steps: .*No space left"
        ) as caught:
            run(engine_of(), LONG, path=path)
    error, result = caught.value, caught.value.result
    assert isinstance(error.__cause__, anb.StoreError)
    assert "make room or give another path" in str(error)
    assert result.reason == "failed" and "No space left" in result.message
    assert_intact(path, result)
    assert not is_locked(path)
    # With room again, it goes on to the same chain.
    again = run(engine_of(), LONG, path=path, resume=True)
    assert_same(again, run(engine_of(), LONG))


@pytest.mark.usefixtures("eager")
def test_a_run_whose_disk_is_full_goes_on_in_the_same_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engine = engine_of()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FullDisk(25).fsync)
        with pytest.raises(RunFailedError):
            run(engine, LONG, path=tmp_path / "run")
    assert_same(run(engine, LONG, resume=True), run(engine_of(), LONG))
    assert anb.open_run(tmp_path / "run").reason == "completed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with room for 300 kB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(mount, stderr=-3).returncode:
        pytest.skip("making a small disk takes root on Linux")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.usefixtures("eager")
def test_a_disk_that_is_really_full_costs_no_draw(small_disk: Path):
    with pytest.raises(RunFailedError, match="No space left") as caught:
        run(engine_of(), LONG, path=small_disk / "run")
    assert 300 < len(caught.value.result.draws) <= 3000
    assert_intact(small_disk / "run", caught.value.result)
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    again = run(engine_of(), LONG, path=small_disk / "run", resume=True)
    assert_same(again, run(engine_of(), LONG))


def test_a_failed_run_whose_end_cannot_be_saved_tells_of_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    failing = Scripted(nwalkers=3, burn=20, iterations=3000, fails_at=500)
    monkeypatch.setattr(recorder, "SHORTEST_INTERVAL", 1000.0)
    monkeypatch.setattr(os, "fsync", FullDisk(15).fsync)
    with pytest.raises(RunFailedError, match="scripted failure at step 500") as caught:
        run(engine_of(), failing, path=tmp_path / "run")
    assert len(caught.value.result.draws) > 0
    (record,) = caplog.records
    assert "the failed run could not be saved" in record.message
    assert "No space left" in record.message
    assert not is_locked(tmp_path / "run")


def below_a_file(path: Path) -> Path:
    path.write_text("text")
    return path / "run"


def a_file(path: Path) -> Path:
    path.write_text("text")
    return path


@pytest.mark.parametrize("make", [below_a_file, a_file])
@pytest.mark.parametrize("resume", [False, "auto", True])
def test_a_path_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, make: Any, resume: Any, monkeypatch: pytest.MonkeyPatch
):
    path = make(tmp_path / "file")
    monkeypatch.setattr(Scripted, "advance", None)
    with pytest.raises(anb.StoreError, match=r"expected .*; got .*; ") as caught:
        run(engine_of(), SCRIPT, path=path, resume=resume)
    assert str(path) in str(caught.value)
    assert (tmp_path / "file").read_text() == "text"


def test_a_folder_without_permission_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(
            anb.StoreError, match=r"got PermissionError: Permission denied; make room"
        ):
            run(engine_of(), SCRIPT, path=tmp_path / "run")
    whole = run(engine_of(), SCRIPT, path=tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(anb.StoreError, match="Permission denied"):
            run(engine_of(), SCRIPT, path=tmp_path / "run", resume=True)
    assert_same(anb.open_run(tmp_path / "run"), whole)


@pytest.mark.parametrize("path", [3, b"run", True, ["run"]])
def test_what_is_no_path_is_refused(path: Any):
    with pytest.raises(TypeError, match=r"expected path as the name .*; got .*; give"):
        run(engine_of(), SCRIPT, path=path)


def test_an_empty_path_is_refused():
    with pytest.raises(ValueError, match=r"expected path as the name .*; got ''; give"):
        run(engine_of(), SCRIPT, path="")


@pytest.mark.parametrize("resume", ["yes", 1, None, "True"])
def test_resume_is_one_of_three(resume: Any):
    with pytest.raises(
        ValueError, match=r"expected resume as True, False or 'auto'; g"
    ):
        run(engine_of(), SCRIPT, resume=resume, path="run")


def test_auto_needs_a_path():
    with pytest.raises(
        ValueError, match=r"expected a path with resume='auto'; got non"
    ):
        run(engine_of(), SCRIPT, resume="auto")


# Beside a run


def test_a_paused_run_can_be_opened(tmp_path: Path):
    paused = engine_of().start(sampler=ENDLESS, path=tmp_path / "run", progress="none")
    until(lambda: paused.status.step > 50)
    paused.pause()
    until(lambda: paused.status.state == "paused")
    stored = anb.open_run(tmp_path / "run")
    assert stored.reason == "running"
    drawn = paused.inspect().draws
    np.testing.assert_array_equal(stored.draws, drawn[: len(stored.draws)])
    paused.stop()
    paused.wait(20)


def test_looking_into_a_run_that_is_saved_sees_each_draw_once(
    tmp_path: Path, eager: None
):
    quick = Scripted(nwalkers=2, burn=0, iterations=10**7)
    going = engine_of().start(sampler=quick, path=tmp_path / "run", progress="none")
    looks = []
    until(lambda: going.status.step > 10)
    while len(looks) < 30:
        looks.append(going.inspect().draws)
    going.stop()
    whole = going.wait(20).draws
    for draws in looks:
        np.testing.assert_array_equal(draws, whole[: len(draws)])


def test_events_tell_where_a_continued_run_begins(tmp_path: Path):
    run(engine_of(), SCRIPT, iterations=10, path=tmp_path / "run")
    listener = Listener()
    engine_of().run(
        sampler=SCRIPT, path=tmp_path / "run", resume=True, progress=listener
    )
    started = listener.events[0].as_dict()
    assert (started["event"], started["step"]) == ("Started", 30)
    assert started["seconds"] > 0
    first = next(event for event in listener.events if isinstance(event, Advanced))
    assert first.step > 30 and first.seconds > started["seconds"]
