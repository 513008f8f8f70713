"""A run's folder: draws that grow, the state beside them, and a manifest.

``manifest.json`` is replaced last and in one piece: it is the commit record, and says
how much of each file counts. Draws are raw arrays, one file for each name and phase
(``sampling.position.bin``), to which rows are only ever added; the algorithm's state is
``state-N.npz``. Whatever a broken commit left beyond is ignored, and overwritten when
the run goes on. Nothing is pickled, and nothing that is read can run code.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws

__all__ = ["MANIFEST", "Folder", "StoreError"]

MANIFEST = "manifest.json"
LOCK = "lock"
FORMAT = 1
BLOCK = 2**22


class StoreError(RuntimeError):
    """A run's folder could not be written, read or continued; it says why."""


class Folder:
    """The files of one run.

    Parameters
    ----------
    path : Path
    about : dict
        What the run is of, written into the manifest.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]):
        self.path = path
        self.about = dict(about)
        self.status: dict[str, Any] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._commits = 0
        self._lock: Any = None

    def hold(self) -> None:
        """Keep others from writing here until `release`, or the end of the process.

        Raises
        ------
        StoreError
            Where another run writes here.
        """
        try:
            import fcntl
        except ImportError:  # Windows has no such locks
            return
        self._lock = (self.path / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise StoreError(
                f"expected {self.path} for this run alone; another run writes there; "
                "wait for it or stop it; ampynb.open_run(path) shows it meanwhile"
            ) from None
        except OSError:  # a file system without locks
            self.release()

    def release(self) -> None:
        """Let others write here."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # Reading

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Read a folder that a run has left.

        Raises
        ------
        StoreError
            Where there is no run, or where a file is not what was committed.
        """
        try:
            manifest = json.loads((path / MANIFEST).read_text())
            written, folder = manifest["format"], cls(path, manifest["about"])
            folder.status, folder._files = manifest["status"], manifest["files"]
            folder._commits = manifest["commits"]
            outside = [name for name in folder._files if name != Path(name).name]
            if outside:
                raise ValueError(f"files outside the folder: {outside}")
        except FileNotFoundError:
            raise StoreError(
                f"expected the folder of a run at {path}; got no {MANIFEST} there; "
                "correct the path, or leave out resume=True to begin a run"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"expected {path / MANIFEST} as ampynb wrote it; got {error!r}; it was "
                "changed or cut short: restore it from a copy"
            ) from None
        if written != FORMAT:
            raise StoreError(
                f"expected a run folder of format {FORMAT}; got {written} at {path}; "
                "open it with the version of ampynb that wrote it"
            )
        folder.check()
        return folder

    def check(self) -> None:
        """Raise `StoreError` where a file is shorter or other than was committed."""
        for name, entry in self._files.items():
            file = self.path / name
            length = file.stat().st_size if file.exists() else 0
            if length < entry["bytes"]:
                raise StoreError(
                    f"expected {entry['bytes']} bytes in {file}; got {length}; the "
                    "file was cut short: restore it from a copy; the other files are "
                    "intact"
                )
            if _checksum(file, entry["bytes"]) != entry["crc32"]:
                raise StoreError(
                    f"expected {file} as it was written; got other content; it was "
                    "changed: restore it from a copy; the other files are intact"
                )

    def draws(self, phase: str) -> Draws | None:
        """Return the committed draws of a phase; they are read when they are used."""
        arrays: dict[str, dict[str, np.ndarray]] = {"": {}, "stats": {}, "step": {}}
        for name, entry in self._files.items():
            if entry.get("phase") == phase:
                arrays[entry["group"]][entry["name"]] = self._array(name, entry)
        if "position" not in arrays[""]:
            return None
        return Draws(arrays[""]["position"], arrays["stats"], phase, arrays["step"])

    def _array(self, name: str, entry: Mapping[str, Any]) -> np.ndarray:
        shape = tuple(entry["shape"])
        if 0 in shape:
            return np.zeros(shape, entry["dtype"])
        return np.memmap(self.path / name, entry["dtype"], "r", shape=shape)

    def arrays(self, kind: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of the last commit's ``state`` or ``live`` points."""
        for name, entry in self._files.items():
            if entry.get("kind") == kind:
                with np.load(self.path / name, allow_pickle=False) as file:
                    return dict(file)
        return None

    # Writing

    @classmethod
    def create(cls, path: Path, about: Mapping[str, Any]) -> Folder:
        """Begin a folder; raise `StoreError` where a run is there already."""
        if (path / MANIFEST).exists():
            raise StoreError(
                f"expected a path at which no run is yet; got {path}, which has one; "
                "pass resume=True to continue it, or another path, or remove it"
            )
        folder = cls(path, about)
        with _explained(path):
            path.mkdir(parents=True, exist_ok=True)
        folder.commit([], {}, None, {"reason": "running", "step": 0, "seconds": 0.0})
        return folder

    def commit(
        self,
        chunks: list[Draws],
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
        with _explained(self.path):
            files, former = dict(self._files), set(self._files)
            for phase in (WARMUP, SAMPLING):
                of_phase = [chunk for chunk in chunks if chunk.phase == phase]
                if of_phase:
                    self._append(files, of_phase, phase)
            beside = {"state": dict(state), "live": _live_arrays(live)}
            for kind, arrays in beside.items():
                if arrays:
                    self._replace(files, kind, arrays)
            self._write_manifest(files, status)
            self._files, self.status = files, dict(status)
            self._commits += 1
            for name in former - set(files):
                (self.path / name).unlink(missing_ok=True)

    def _append(self, files: dict, chunks: list[Draws], phase: str) -> None:
        for (group, name), parts in _by_name(chunks).items():
            file = ".".join(filter(None, (phase, group, name, "bin")))
            rows = np.ascontiguousarray(np.concatenate(parts))
            known = files.get(file) or {
                "phase": phase,
                "group": group,
                "name": name,
                "dtype": rows.dtype.str,
                "shape": [0, *rows.shape[1:]],
                "bytes": 0,
                "crc32": 0,
            }
            content = rows.data.cast("B") if rows.size else b""
            path = self.path / file
            with path.open("r+b" if path.exists() else "w+b") as stream:
                stream.seek(known["bytes"])
                stream.write(content)
                stream.truncate()
                _to_disk(stream)
            files[file] = known | {
                "shape": [known["shape"][0] + len(rows), *known["shape"][1:]],
                "bytes": known["bytes"] + rows.nbytes,
                "crc32": zlib.crc32(content, known["crc32"]),
            }

    def _replace(self, files: dict, kind: str, arrays: dict[str, Any]) -> None:
        for name in [n for n, entry in files.items() if entry.get("kind") == kind]:
            del files[name]
        file = f"{kind}-{self._commits + 1}.npz"
        with (self.path / file).open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            _to_disk(stream)
        length = (self.path / file).stat().st_size
        checksum = _checksum(self.path / file, length)
        files[file] = {"kind": kind, "bytes": length, "crc32": checksum}

    def _write_manifest(self, files: Mapping, status: Mapping[str, Any]) -> None:
        manifest = {
            "format": FORMAT,
            "about": self.about,
            "status": dict(status),
            "commits": self._commits + 1,
            "files": dict(files),
        }
        fresh = self.path / f"{MANIFEST}.new"
        with fresh.open("w") as stream:
            json.dump(manifest, stream, indent=1)
            _to_disk(stream)
        os.replace(fresh, self.path / MANIFEST)


def _by_name(chunks: list[Draws]) -> dict[tuple[str, str], list[np.ndarray]]:
    """Return the arrays of some chunks of one phase, by group and name."""
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    for chunk in chunks:
        parts.setdefault(("", "position"), []).append(chunk.position)
        for group, arrays in (("stats", chunk.stats), ("step", chunk.step_stats)):
            for name, values in arrays.items():
                parts.setdefault((group, name), []).append(values)
    return parts


def _live_arrays(live: Draws | None) -> dict[str, np.ndarray]:
    return {} if live is None else {"position": live.position, **live.stats}


def _to_disk(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _checksum(file: Path, length: int) -> int:
    found = 0
    with file.open("rb") as stream:
        while length > 0 and (block := stream.read(min(BLOCK, length))):
            found, length = zlib.crc32(block, found), length - len(block)
    return found


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into what to do about it."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"expected to write the run to {path}; got {type(error).__name__}: "
            f"{error.strerror or error}; make room or give another path; what was "
            "saved before is intact, and resume=True continues from there"
        ) from error
