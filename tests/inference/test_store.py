"""A run's folder: what is committed is whole, whatever breaks, and nothing else is."""

import errno
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.inference import manifest as manifest_module
from ampynb.inference.manifest import MANIFEST
from ampynb.inference.store import Folder
from ampynb.inference.store_error import StoreError
from tests.inference.forgery import rewrite

ABOUT = {"seed": 3, "table": [{"name": "slope"}]}
N_WARMUP, N_SAMPLING = 5, 20
DRAWN = {
    phase: Draws(
        np.random.default_rng(seed).normal(size=(n, 4, 2)),
        {
            "lp": np.random.default_rng(seed + 1).normal(size=(n, 4)),
            "diverging": np.arange(4 * n).reshape(n, 4) % 3 == 0,
            "n_steps": np.arange(4 * n, dtype=np.int32).reshape(n, 4),
        },
        phase,
        {"temperatures": np.random.default_rng(seed + 2).normal(size=(n, 3))},
    )
    for phase, n, seed in ((WARMUP, N_WARMUP, 0), (SAMPLING, N_SAMPLING, 9))
}
LIVE = Draws(np.ones((7, 1, 2)), {"log_likelihood": np.arange(7.0)[:, None]}, SAMPLING)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for the disk: a process that ends does not take it along."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


def state_at(step: int) -> dict[str, np.ndarray]:
    return {".step": np.array(step), "['key']": np.arange(step, dtype=np.uint32)}


def status_at(step: int, reason: str = "running") -> dict[str, Any]:
    return {"reason": reason, "message": "", "step": step, "seconds": 0.1 * step}


def commit(folder: Folder, begin: int, end: int) -> None:
    """Commit the steps of a range, counted over both phases, in chunks of three."""
    parts = []
    for phase, offset in ((WARMUP, 0), (SAMPLING, N_WARMUP)):
        first, last = max(begin - offset, 0), max(end - offset, 0)
        last = min(last, len(DRAWN[phase].position))
        parts += [
            DRAWN[phase].rows(slice(i, min(i + 3, last))) for i in range(first, last, 3)
        ]
    folder.commit(parts, state_at(end), LIVE, status_at(end))


def begin_at(path: Path) -> Folder:
    path.mkdir()
    folder = Folder(path, ABOUT)
    folder.begin()
    return folder


def folder_with(path: Path, steps: int) -> Folder:
    folder = begin_at(path)
    commit(folder, 0, steps)
    return folder


def assert_holds(folder: Folder, steps: int) -> None:
    """Assert that a folder holds the first steps, and nothing else."""
    lengths = {WARMUP: min(steps, N_WARMUP), SAMPLING: max(steps - N_WARMUP, 0)}
    for phase, length in lengths.items():
        found, expected = folder.saved()(phase), DRAWN[phase].rows(slice(length))
        if length == 0:
            assert found is None
            continue
        assert found is not None and found.phase == phase
        np.testing.assert_array_equal(found.position, expected.position)
        for group in ("stats", "step_stats"):
            stored, drawn = getattr(found, group), getattr(expected, group)
            assert stored.keys() == drawn.keys()
            for name in drawn:
                np.testing.assert_array_equal(stored[name], drawn[name])
                assert stored[name].dtype == drawn[name].dtype
    assert folder.about == ABOUT
    state, live = folder.arrays("state"), folder.arrays("live")
    if steps == 0:
        assert state is None and live is None
        return
    assert folder.status == status_at(steps)
    assert state is not None and live is not None
    assert {name: a.tolist() for name, a in state.items()} == {
        name: a.tolist() for name, a in state_at(steps).items()
    }
    np.testing.assert_array_equal(live["position"], LIVE.position)
    np.testing.assert_array_equal(live["log_likelihood"], LIVE.stats["log_likelihood"])


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


# What is written is read


@pytest.mark.parametrize(
    "edges", [[25], [1, 2, 3, 25], [4, 5, 6, 25], [5, 25], [7, 19, 25]], ids=str
)
def test_what_was_committed_is_read_back(tmp_path: Path, edges: list[int]):
    folder, done = begin_at(tmp_path / "run"), 0
    assert_holds(Folder.open(folder.path), 0)
    for edge in edges:
        commit(folder, done, edge)
        assert_holds(Folder.open(folder.path), edge)
        done = edge


def test_a_folder_goes_on_where_another_process_left_it(tmp_path: Path):
    folder_with(tmp_path / "run", 8)
    commit(Folder.open(tmp_path / "run"), 8, 25)
    assert_holds(Folder.open(tmp_path / "run"), 25)


def test_draws_are_read_when_they_are_used_and_cannot_be_changed(tmp_path: Path):
    folder_with(tmp_path / "run", 25)
    draws = Folder.open(tmp_path / "run").saved()(SAMPLING)
    assert draws is not None
    for array in (draws.position, *draws.stats.values(), *draws.step_stats.values()):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_what_was_saved_stays_as_it_was_when_more_is(tmp_path: Path):
    folder = folder_with(tmp_path / "run", 8)
    then = folder.saved()
    commit(folder, 8, 25)
    early, late = then(SAMPLING), folder.saved()(SAMPLING)
    assert early is not None and late is not None
    assert (len(early.position), len(late.position)) == (3, 20)


def test_only_the_last_state_is_kept(tmp_path: Path):
    folder = folder_with(tmp_path / "run", 8)
    for begin, end in ((8, 9), (9, 10), (10, 25)):
        commit(folder, begin, end)
    assert len(list(folder.path.glob("state-*.npz"))) == 1
    folder.commit([], state_at(25), None, status_at(25))
    assert Folder.open(folder.path).arrays("live") is None
    assert not list(folder.path.glob("live-*.npz"))


def test_draws_that_change_their_type_are_refused(tmp_path: Path):
    folder = folder_with(tmp_path / "run", 25)
    drawn = DRAWN[SAMPLING].rows(slice(2))
    other = drawn._replace(position=drawn.position.astype(np.float32))
    with pytest.raises(ValueError, match=r"expected rows of <f8 .*; got <f4"):
        folder.commit([other], state_at(27), LIVE, status_at(27))
    assert_holds(Folder.open(folder.path), 25)


# Broken commits


class Killed(BaseException):
    """Stands for the end of the process."""


class Disk:
    """Counts what a commit asks of the system, and fails at one of the calls.

    ``done`` says whether the call that fails has had its effect.
    """

    def __init__(self, error: BaseException, fails_at: int, done: bool):
        self.error, self.fails_at, self.done = error, fails_at, done
        self.calls = 0

    def wrap(self, call: Callable) -> Callable:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.fails_at and not self.done:
                raise self.error
            answer = call(*arguments, **options)
            if self.calls == self.fails_at:
                raise self.error
            return answer

        return wrapped

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for place, name in (
            (io, "open"),
            (os, "fsync"),
            (os, "replace"),
            (os, "unlink"),
            (Path, "unlink"),
            (Path, "stat"),
        ):
            patch.setattr(place, name, self.wrap(getattr(place, name)))


def break_commit(path: Path, disk: Disk) -> bool:
    """Break a second commit; return whether it came so far."""
    folder = folder_with(path, 8)
    with pytest.MonkeyPatch.context() as patch:
        disk.watch(patch)
        try:
            commit(folder, 8, 25)
        except (Killed, StoreError):
            return True
    return False


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("error", [Killed(), FULL], ids=["killed", "full disk"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_commit_that_breaks_anywhere_counts_in_full_or_not_at_all(
    tmp_path: Path, error: BaseException, done: bool
):
    at, former, new = 0, 0, 0
    while True:
        at, path = at + 1, tmp_path / f"run-{at + 1}"
        if not break_commit(path, Disk(error, at, done)):
            break
        folder = Folder.open(path)
        steps = folder.status["step"]
        former, new = former + (steps == 8), new + (steps == 25)
        assert_holds(folder, steps)
        # Whatever it left is overwritten when the run goes on.
        commit(folder, steps, 25)
        assert_holds(Folder.open(path), 25)
        assert len(list(path.glob("state-*.npz"))) == 1
    assert at > 20, "it does not break at every call"
    assert former > 15 and new > 1, "both sides of the commit are not there"


def test_what_is_to_count_is_brought_to_the_disk_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, calls = folder_with(tmp_path / "run", 8), []
    names = {}

    def fsync(number: int) -> None:
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{number}")))

    def replace(source: Path, target: Path) -> None:
        calls.append("replace")
        names[source.name] = target.name
        shutil.move(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    commit(folder, 8, 25)
    assert names == {f"{MANIFEST}.new": MANIFEST}
    at = calls.index("replace")
    written = {file.name for file in folder.path.iterdir()} - {MANIFEST}
    written = {name for name in written if not name.startswith("warmup")}
    assert set(calls[:at]) == {*written, f"{MANIFEST}.new"}
    assert calls[at + 1 :] == ["run"], "the folder's own list of files"


def test_an_error_of_the_system_says_what_to_do(tmp_path: Path):
    folder = folder_with(tmp_path / "run", 8)
    with pytest.MonkeyPatch.context() as patch:
        Disk(FULL, 3, False).watch(patch)
        with pytest.raises(
            StoreError,
            match=r"expected to write the run to .*run; got OSError: No space left.*; "
            "make room or give another path; what was saved before is intact",
        ):
            commit(folder, 8, 25)


def test_half_of_what_a_broken_commit_wrote_is_ignored(tmp_path: Path):
    folder_with(tmp_path / "run", 8)
    for file in (tmp_path / "run").glob("*.bin"):
        with file.open("ab") as stream:
            stream.write(b"half a row")
    (tmp_path / "run" / "state-7.npz").write_bytes(b"half a state")
    (tmp_path / "run" / f"{MANIFEST}.new").write_text("{half a manifest")
    folder = Folder.open(tmp_path / "run")
    assert_holds(folder, 8)
    commit(folder, 8, 9)
    assert_holds(Folder.open(tmp_path / "run"), 9)
    position = tmp_path / "run" / "sampling.draws.position.bin"
    assert position.stat().st_size == DRAWN[SAMPLING].position[:4].nbytes


# Damage


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def changed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def replaced_by_a_link(file: Path) -> None:
    file.rename(file.parent.parent / file.name)
    file.symlink_to(file.parent.parent / file.name)


def replaced_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = [
    cut_short,
    changed,
    emptied,
    Path.unlink,
    replaced_by_a_link,
    replaced_by_a_folder,
]
KINDS = [
    "sampling.draws.position.bin",
    "warmup.stats.diverging.bin",
    "sampling.step_stats.temperatures.bin",
    "state-2.npz",
    "live-2.npz",
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_named_and_the_others_are_left(
    tmp_path: Path, name: str, damage: Callable
):
    path = folder_with(tmp_path / "run", 25).path
    damage(path / name)
    before = contents(path)
    with pytest.raises(StoreError, match=r"expected .*; got .*; ") as caught:
        Folder.open(path)
    assert str(path / name) in str(caught.value)
    assert contents(path) == before


def test_draws_are_read_where_only_the_state_is_damaged(tmp_path: Path):
    path = folder_with(tmp_path / "run", 25).path
    cut_short(path / "state-2.npz")
    draws = Folder.open(path, kinds=("live",)).saved()(SAMPLING)
    assert draws is not None
    np.testing.assert_array_equal(draws.position, DRAWN[SAMPLING].position)


@pytest.mark.parametrize(
    "damage",
    [cut_short, changed, emptied, replaced_by_a_folder],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_manifest_is_named(tmp_path: Path, damage: Callable):
    path = folder_with(tmp_path / "run", 25).path
    damage(path / MANIFEST)
    with pytest.raises(StoreError, match=r"expected .*manifest.json.*; got .*; "):
        Folder.open(path)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"', "{}", "[[[[", "\x00"])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, text: str):
    path = folder_with(tmp_path / "run", 25).path
    (path / MANIFEST).write_text(text)
    with pytest.raises(StoreError, match=r"as ampynb wrote it; got .*; it was changed"):
        Folder.open(path)


def test_every_number_of_the_manifest_is_protected(tmp_path: Path):
    path = folder_with(tmp_path / "run", 25).path
    text = (path / MANIFEST).read_text()
    places = [i for i, letter in enumerate(text) if letter.isdigit()]
    assert len(places) > 50
    for place in places:
        other = "1" if text[place] == "0" else str(int(text[place]) - 1)
        (path / MANIFEST).write_text(text[:place] + other + text[place + 1 :])
        with pytest.raises(StoreError):
            Folder.open(path)


def test_where_no_run_is_it_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=r"got no manifest.json there; correct"):
            Folder.open(path)


# Malice: a folder whose checksums are right


def entry(content: dict, name: str = "position") -> dict:
    return next(one for one in content["draws"] if one["name"] == name)


MALICE = {
    "a path upwards": lambda content: entry(content).update(name="../../secret"),
    "an absolute path": lambda content: entry(content).update(name="/etc/passwd"),
    "a path upwards by phase": lambda content: entry(content).update(phase=".."),
    "a path by group": lambda content: entry(content).update(group="../draws"),
    "a path by kind": lambda content: content["arrays"][0].update(kind="../state"),
    "a path by number": lambda content: content["arrays"][0].update(commit="/../2"),
    "pointers": lambda content: entry(content).update(dtype="|O"),
    "records": lambda content: entry(content).update(dtype="f8,O"),
    "no type": lambda content: entry(content).update(dtype="nonsense"),
    "negative shape": lambda content: entry(content).update(shape=[-5, -4, 2]),
    "no shape": lambda content: entry(content).update(shape=[]),
    "huge shape": lambda content: entry(content).update(shape=[2**40, 4, 2]),
    "fractional shape": lambda content: entry(content).update(shape=[2.5, 4, 2]),
    "a field more": lambda content: entry(content).update(more=1),
    "a field less": lambda content: entry(content).pop("dtype"),
    "no commits": lambda content: content.update(commits="many"),
    "no status": lambda content: content.update(status=7),
}


@pytest.mark.parametrize("change", MALICE.values(), ids=MALICE)
def test_a_manifest_that_leads_elsewhere_is_refused(tmp_path: Path, change: Callable):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    path = folder_with(tmp_path / "run", 25).path
    rewrite(path, change)
    with pytest.raises(StoreError, match=r"expected .*; got .*; "):
        Folder.open(path)
    assert secret.read_bytes() == b"secret"


def test_a_folder_of_a_later_format_says_so(tmp_path: Path):
    path = folder_with(tmp_path / "run", 25).path
    content = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(
        StoreError, match=r"of format 1; got 2 .*; open it with the ver"
    ):
        Folder.open(path)


class Trap:
    """Runs code when it is unpickled."""

    sprung: Path

    def __reduce__(self):
        return Path.touch, (self.sprung,)


def pickled(file: Path, trap: Trap) -> None:
    file.write_bytes(pickle.dumps(trap))


def pickled_array(file: Path, trap: Trap) -> None:
    with file.open("wb") as stream:
        np.savez(stream, step=np.array([trap], dtype=object))


def no_archive(file: Path, trap: Trap) -> None:
    file.write_bytes(b"PK\x03\x04" + bytes(200))


def one_array(file: Path, trap: Trap) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))


@pytest.mark.parametrize(
    "forge",
    [pickled, pickled_array, no_archive, one_array],
    ids=lambda forge: forge.__name__,
)
def test_no_pickle_is_loaded(tmp_path: Path, forge: Callable):
    trap = Trap()
    trap.sprung = tmp_path / "sprung"
    path = folder_with(tmp_path / "run", 25).path
    file = path / "state-2.npz"
    forge(file, trap)
    content = file.read_bytes()

    def change(written: dict) -> None:
        (state,) = [one for one in written["arrays"] if one["kind"] == "state"]
        state.update(bytes=len(content), crc32=manifest_module.zlib.crc32(content))

    rewrite(path, change)
    with pytest.raises(
        StoreError, match=r"expected plain arrays in .*state-2.npz; got"
    ):
        Folder.open(path)
    assert not trap.sprung.exists()


# Readers beside a writer


def test_a_folder_opens_while_its_state_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    writer = folder_with(tmp_path / "run", 8)
    read, edges = manifest_module.Manifest.read, iter([(8, 12), (12, 25)])

    def read_and_be_late(path: Path) -> Any:
        found = read(path)
        for begin, end in edges:  # the writer goes on before the reader does
            commit(writer, begin, end)
            break
        return found

    monkeypatch.setattr(manifest_module.Manifest, "read", read_and_be_late)
    assert_holds(Folder.open(tmp_path / "run"), 25)


def test_a_folder_may_be_moved(tmp_path: Path):
    folder_with(tmp_path / "run", 8)
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    commit(Folder.open(tmp_path / "elsewhere"), 8, 25)
    assert_holds(Folder.open(tmp_path / "elsewhere"), 25)
