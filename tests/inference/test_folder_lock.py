"""One run at a time writes to a folder, and the end of its process lets go of it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ampynb.inference import folder_lock
from ampynb.inference.folder_lock import FolderLock, is_locked
from ampynb.inference.store_error import StoreError

HOLD = (
    "import fcntl, sys, time\n"
    "file = open(sys.argv[1], 'a')\n"
    "fcntl.flock(file, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


def test_a_second_writer_is_refused_until_the_first_lets_go(tmp_path: Path):
    first = FolderLock(tmp_path)
    with pytest.raises(
        StoreError, match=r"expected .* for this run alone; got another run.*; wait"
    ):
        FolderLock(tmp_path)
    first.release()
    first.release()  # twice is once
    FolderLock(tmp_path).release()


def test_whether_there_is_a_writer_can_be_told(tmp_path: Path):
    assert is_locked(tmp_path) is None  # nobody has ever written here
    lock = FolderLock(tmp_path)
    assert is_locked(tmp_path) is True
    lock.release()
    assert is_locked(tmp_path) is False
    assert is_locked(tmp_path / "nothing") is None


def test_a_killed_process_lets_go(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / folder_lock.LOCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_locked(tmp_path) is True
        with pytest.raises(StoreError, match="another run"):
            FolderLock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert is_locked(tmp_path) is False
    FolderLock(tmp_path).release()


def test_where_the_system_has_no_locks_nobody_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert is_locked(tmp_path) is None
    first.release()
    second.release()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(StoreError, match=r"expected to write the run to .*; got"):
            FolderLock(path)
