"""A run's folder: draws that grow, the state beside them, and a manifest.

``manifest.json`` is replaced last and in one piece: it is the commit record, and says
how much of each file counts. Draws are raw arrays, one file for each name and phase
(``sampling.draws.position.bin``), to which rows are only ever added; the algorithm's
state is ``state-N.npz``. Whatever a broken commit left beyond is ignored, and
overwritten when the run goes on. Nothing is pickled, and nothing that is read can run
code.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.inference.manifest import (
    GROUPS,
    KINDS,
    ArraysFile,
    DrawsFile,
    Manifest,
    to_disk,
)
from ampynb.inference.store_error import StoreError, explained

__all__ = ["Folder"]

BLOCK = 2**22  # bytes that are read at once
TRIES = 20  # to open a folder that a run replaces files of meanwhile
REPLACED = re.compile(rf"({'|'.join(KINDS)})-\d+\.npz")


class Folder:
    """The files of one run.

    Parameters
    ----------
    path : Path
    about : dict
        What the run is of.

    Attributes
    ----------
    status : dict
        How far it is: ``reason, message, step, seconds, warnings``.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]):
        self.path = path
        self._manifest = Manifest(about, {"reason": "running", "step": 0, "seconds": 0})
        self._arrays: dict[str, dict[str, np.ndarray]] = {}

    @property
    def about(self) -> Mapping[str, Any]:
        """What the run is of."""
        return self._manifest.about

    @about.setter
    def about(self, about: Mapping[str, Any]) -> None:
        self._manifest = dataclasses.replace(self._manifest, about=about)

    @property
    def status(self) -> Mapping[str, Any]:
        """How far the run is: ``reason``, ``message``, ``step`` and ``seconds``."""
        return self._manifest.status

    # Reading

    @classmethod
    def open(cls, path: Path, kinds: Sequence[str] = KINDS) -> Folder:
        """Read a folder that a run has left, or writes to.

        Parameters
        ----------
        path : Path
        kinds : sequence of str
            What is read besides the draws: ``"state"``, ``"live"``.

        Raises
        ------
        StoreError
            Where there is no run, or where a file is not what was committed.
        """
        for _ in range(TRIES):
            manifest = Manifest.read(path)
            try:
                # First: a run that goes on replaces them, and only adds to draws.
                arrays = {
                    entry.kind: _load(path, entry)
                    for entry in manifest.arrays
                    if entry.kind in kinds
                }
                break
            except StoreError:
                if Manifest.read(path).commits == manifest.commits:
                    raise
        else:
            raise StoreError(
                f"expected {path} to rest for a moment; got {TRIES} commits while it "
                "was read; try again"
            )
        for entry in manifest.draws:
            _check(path, entry)
        folder = cls(path, manifest.about)
        folder._manifest, folder._arrays = manifest, arrays
        return folder

    def arrays(self, kind: str) -> dict[str, np.ndarray] | None:
        """Return the ``"state"`` or ``"live"`` points as they were opened, or None."""
        return self._arrays.get(kind)

    def saved(self) -> Callable[[str], Draws | None]:
        """Return what gives a phase's draws as of now, also after later commits."""
        return functools.partial(_draws, self.path, self._manifest.draws)

    # Writing

    def begin(self) -> None:
        """Make the first commit, of no draws."""
        self.commit([], {}, None, self.status)

    def commit(
        self,
        chunks: Sequence[Draws],
        state: Mapping[str, np.ndarray],
        live: Draws | None,
        status: Mapping[str, Any],
    ) -> None:
        """Add draws, replace the state, and make both count at once.

        Raises
        ------
        StoreError
            Where the folder cannot be written; what was committed before is intact.
        """
        former = self._manifest
        beside = {"state": dict(state), "live": _live_arrays(live)}
        with explained(self.path):
            manifest = dataclasses.replace(
                former,
                status=dict(status),
                commits=former.commits + 1,
                draws=tuple(self._with_chunks(former.draws, chunks)),
                arrays=tuple(
                    self._write_arrays(kind, arrays, former.commits + 1)
                    for kind, arrays in beside.items()
                    if arrays
                ),
            )
            self._write(manifest)
            self._remove_replaced()

    def add_to_status(self, **more: Any) -> None:
        """Say more of the run; draws and state stay as they are.

        Raises
        ------
        StoreError
            Where the folder cannot be written.
        """
        former = self._manifest
        manifest = dataclasses.replace(
            former, status={**former.status, **more}, commits=former.commits + 1
        )
        with explained(self.path):
            self._write(manifest)

    def _write(self, manifest: Manifest) -> None:
        manifest.write(self.path)
        self._manifest = manifest
        _entries_to_disk(self.path)

    def _with_chunks(
        self, known: Sequence[DrawsFile], chunks: Sequence[Draws]
    ) -> Sequence[DrawsFile]:
        """Write chunks behind what counts, and return what is to count then."""
        files = {entry.file: entry for entry in known}
        for phase in (WARMUP, SAMPLING):
            parts = _by_name([chunk for chunk in chunks if chunk.phase == phase])
            for (group, name), rows in parts.items():
                shape, dtype = (0, *rows[0].shape[1:]), rows[0].dtype.str
                fresh = DrawsFile(phase, group, name, dtype, shape)
                entry = files.get(fresh.file, fresh)
                files[fresh.file] = self._append(entry, rows)
        return list(files.values())

    def _append(self, entry: DrawsFile, parts: Sequence[np.ndarray]) -> DrawsFile:
        path, checksum, length = self.path / entry.file, entry.crc32, entry.shape[0]
        with path.open("r+b" if path.exists() else "w+b") as stream:
            stream.seek(entry.bytes)
            for part in parts:
                if (part.dtype.str, part.shape[1:]) != (entry.dtype, entry.shape[1:]):
                    raise ValueError(
                        f"expected rows of {entry.dtype} and shape {entry.shape[1:]} "
                        f"for {entry.file}; got {part.dtype.str} and {part.shape[1:]}; "
                        "an algorithm's draws must not change their type"
                    )
                if part.size:
                    content = np.ascontiguousarray(part).data.cast("B")
                    stream.write(content)
                    checksum = zlib.crc32(content, checksum)
                length += len(part)
            stream.truncate()
            to_disk(stream)
        shape = (length, *entry.shape[1:])
        return dataclasses.replace(entry, shape=shape, crc32=checksum)

    def _write_arrays(
        self, kind: str, arrays: dict[str, Any], commit: int
    ) -> ArraysFile:
        path = self.path / ArraysFile(kind, commit, 0, 0).file
        with path.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            to_disk(stream)
        length = path.stat().st_size
        return ArraysFile(kind, commit, length, _checksum(path, length))

    def _remove_replaced(self) -> None:
        """Remove the states of former commits, those that were broken included."""
        kept = {entry.file for entry in self._manifest.arrays}
        for path in self.path.iterdir():
            if REPLACED.fullmatch(path.name) and path.name not in kept:
                path.unlink(missing_ok=True)


def _draws(path: Path, entries: Sequence[DrawsFile], phase: str) -> Draws | None:
    """Return the draws of a phase; they are read when they are used."""
    arrays: dict[str, dict[str, np.ndarray]] = {group: {} for group in GROUPS}
    for entry in entries:
        if entry.phase == phase:
            arrays[entry.group][entry.name] = _mapped(path, entry)
    position = arrays["draws"].get("position")
    if position is None:
        return None
    return Draws(position, arrays["stats"], phase, arrays["step_stats"])


def _mapped(path: Path, entry: DrawsFile) -> np.ndarray:
    if 0 in entry.shape:
        return np.zeros(entry.shape, entry.dtype)
    return np.memmap(path / entry.file, entry.dtype, "r", shape=entry.shape)


def _load(path: Path, entry: ArraysFile) -> dict[str, np.ndarray]:
    _check(path, entry)
    try:
        with (path / entry.file).open("rb") as stream:
            return dict(np.load(stream, allow_pickle=False))
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"expected plain arrays in {path / entry.file}; got "
            f"{type(error).__name__}: {error}; ampynb did not write it: restore it "
            "from a copy"
        ) from error


def _check(path: Path, entry: DrawsFile | ArraysFile) -> None:
    """Raise where a file is shorter, or other, than was committed."""
    file = path / entry.file
    if file.is_symlink():
        raise StoreError(
            f"expected {file} as it was written; got a link to elsewhere; restore it "
            "from a copy; the other files are intact"
        )
    try:
        length = file.stat().st_size if file.exists() else 0
        checksum = _checksum(file, entry.bytes) if length >= entry.bytes else None
    except OSError as error:
        raise StoreError(
            f"expected to read {file}; got {type(error).__name__}: "
            f"{error.strerror or error}; see to who may read it"
        ) from error
    if checksum is None:
        raise StoreError(
            f"expected {entry.bytes} bytes in {file}; got {length}; the file was cut "
            "short: restore it from a copy; the other files are intact"
        )
    if checksum != entry.crc32:
        raise StoreError(
            f"expected {file} as it was written; got other content; it was changed: "
            "restore it from a copy; the other files are intact"
        )


def _checksum(file: Path, length: int) -> int:
    found = 0
    with file.open("rb") as stream:
        while length > 0 and (block := stream.read(min(BLOCK, length))):
            found, length = zlib.crc32(block, found), length - len(block)
    return found


def _by_name(chunks: Sequence[Draws]) -> dict[tuple[str, str], list[np.ndarray]]:
    """Return the arrays of some chunks of one phase, by group and name."""
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    for chunk in chunks:
        groups = {"position": chunk.position}, chunk.stats, chunk.step_stats
        for group, arrays in zip(GROUPS, groups, strict=True):
            for name, values in arrays.items():
                parts.setdefault((group, name), []).append(values)
    return parts


def _live_arrays(live: Draws | None) -> dict[str, np.ndarray]:
    return {} if live is None else {"position": live.position, **live.stats}


def _entries_to_disk(path: Path) -> None:
    """Bring a folder's list of files to the disk, where the system has such a thing."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(folder)
