"""One run at a time writes to a folder."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import IO

from ampynb.inference.store_error import StoreError, explained

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

__all__ = ["FolderLock", "is_locked"]

LOCK = "lock"
TRIES, WAIT = 5, 0.02  # `is_locked` holds the lock for a moment too [s]


class FolderLock:
    """Keeps others from writing to a folder until its release, or the process' end.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    StoreError
        Where another run writes there, or where nothing can be written.
    """

    def __init__(self, folder: Path):
        with explained(folder):
            self._file: IO | None = (folder / LOCK).open("a")
        for i in range(TRIES):
            try:
                _lock(self._file, exclusive=True)
                return
            except BlockingIOError:
                time.sleep(WAIT if i < TRIES - 1 else 0)
        self.release()
        raise StoreError(
            f"expected {folder} for this run alone; got another run that writes "
            "there; wait for it or stop it; ampynb.open_run(path) shows it meanwhile"
        )

    def release(self) -> None:
        """Let others write."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_locked(folder: Path) -> bool | None:
    """Return whether a run writes to a folder now; None where it cannot be told."""
    if fcntl is None:
        return None
    try:
        with (folder / LOCK).open() as file:
            _lock(file, exclusive=False)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _lock(file: IO, exclusive: bool) -> None:
    if fcntl is None:
        return
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise BlockingIOError from error
        # A file system without locks: nobody is kept out.
