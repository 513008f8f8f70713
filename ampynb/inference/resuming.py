"""Where a run begins: afresh, in a folder, or where a former one has ended."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.algorithms.codec import decode_state
from ampynb.algorithms.registry import describe_algorithm
from ampynb.algorithms.start import log_likelihoods
from ampynb.analysis.program import ChangedError
from ampynb.distributed.hosts import check_same, is_first, together
from ampynb.inference.events import Event, Finished
from ampynb.inference.fingerprint import (
    Fingerprint,
    asked_for,
    differences,
    fingerprint,
)
from ampynb.inference.folder_lock import FolderLock
from ampynb.inference.loop import Plan
from ampynb.inference.manifest import MANIFEST, Manifest
from ampynb.inference.recorder import Recorder
from ampynb.inference.request import Request
from ampynb.inference.store import Folder
from ampynb.inference.store_error import StoreError, explained
from ampynb.results.history import History
from ampynb.results.stored_table import describe_table

__all__ = ["Beginning", "begin", "read_again"]

COMPARED, COMPARED_IN_NUMPY = 16, 2  # draws of the run that is continued


@dataclass
class Beginning:
    """What a run begins with.

    Attributes
    ----------
    fingerprint : dict
        Of what is run, as it is now: an analysis may be changed afterwards.
    folder : Path, optional
        Where the run is saved.
    history : History
        With the draws and the state of the run that it continues.
    seconds : float
        Computing time that those took [s].
    recorder : Recorder, optional
        In the process that writes to the folder.
    asked : dict
        What else makes the run what it is: how long, and from where.
    ended : dict, optional
        How the same run has ended, where it is only read again.
    warnings : sequence of str
        Which hooks failed in the run that it continues.
    program : str, optional
        The `Posterior.program` of what is run.
    """

    fingerprint: Fingerprint
    folder: Path | None = None
    history: History = field(default_factory=History)
    seconds: float = 0.0
    recorder: Recorder | None = None
    asked: Fingerprint = field(default_factory=dict)
    ended: Mapping[str, Any] | None = None
    warnings: Sequence[str] = ()
    program: str | None = None

    def abandon(self) -> None:
        """Let others write to the folder: no run will."""
        if self.recorder is not None:
            self.recorder.close()


def begin(plan: Plan, request: Request, last: Beginning | None) -> Beginning:
    """Return what a run begins with.

    Parameters
    ----------
    plan : Plan
    request : Request
    last : Beginning, optional
        Of the engine's last run, as it stands: ``resume=True`` without a path
        continues it, in its folder if it has one.

    Raises
    ------
    StoreError
        Where the folder cannot be used, or has another run.
    ValueError
        Where model, data or algorithm are not those of the run to be continued.
    """
    beginning = Beginning(
        fingerprint(plan),
        folder=request.folder,
        asked=asked_for(plan),
        program=plan.posterior.program,
    )
    start = None if plan.start is None else plan.start.position.tolist()
    further = {"start": start, "length": request.length}
    check_same({**beginning.fingerprint, **further})
    if beginning.folder is None and request.resume:
        if last is None:
            raise ValueError(
                "expected a former run of this engine, or a path, with resume=True; "
                "got neither; run once without resume, or give path="
            )
        beginning.folder = last.folder
        if beginning.folder is None:
            return _in_memory(beginning, plan, last)
    if beginning.folder is None:
        return beginning
    try:
        with together():
            if is_first():
                _begin_in(beginning.folder, beginning, plan, request.resume)
        with together():
            if not is_first():
                _read_only(beginning.folder, beginning, plan, request.resume)
    except BaseException:
        beginning.abandon()
        raise
    return beginning


def _in_memory(beginning: Beginning, plan: Plan, last: Beginning) -> Beginning:
    if last.history.state is not None:
        _check_same(last.fingerprint, beginning.fingerprint)
        _check_likelihood(plan, last.history)
        if last.program != plan.posterior.program:  # though these draws do not tell
            raise ChangedError(type(plan.posterior.analysis).__qualname__)
        beginning.history, beginning.seconds = last.history.copy(), last.seconds
        beginning.warnings = last.warnings
    return beginning


def _begin_in(path: Path, beginning: Beginning, plan: Plan, resume: bool | str) -> None:
    """Continue the run of a folder, or begin one there."""
    if resume is True:
        Manifest.read(path)  # an error of its own where there is none
    else:
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(path)
    try:
        # What has no state has no draws either: it ended before its first commit.
        if not ((path / MANIFEST).exists() and Manifest.read(path).has_state):
            folder = Folder(path, _about(plan, beginning))
            folder.begin()
        else:
            folder = Folder.open(path)
            _take_up(folder, beginning, plan, resume)
            folder.about = _about(plan, beginning)
    except BaseException:
        lock.release()
        raise
    if beginning.ended is not None:
        lock.release()
        return
    beginning.recorder = Recorder(folder, lock, plan.algorithm, beginning.history)


def _read_only(
    path: Path, beginning: Beginning, plan: Plan, resume: bool | str
) -> None:
    """Take up the run of a folder in a process that does not write to it."""
    if Manifest.read(path).has_state:
        _take_up(Folder.open(path), beginning, plan, resume)


def _take_up(
    folder: Folder, beginning: Beginning, plan: Plan, resume: bool | str
) -> None:
    """Read the same run again if it is finished, and else continue it or refuse."""
    about, status = folder.about, folder.status
    changes = differences(about["fingerprint"], beginning.fingerprint)
    asked = differences(about.get("asked", {}), beginning.asked)
    is_finished = status["reason"] == "completed"
    if not resume and (changes or asked or not is_finished):
        raise StoreError(_why_not(folder, changes, asked))
    _continue(folder, beginning, plan)
    if is_finished and not asked:
        beginning.ended = status


def _why_not(folder: Folder, changes: list[str], asked: list[str]) -> str:
    """Return why a run of a folder is neither read again nor continued."""
    expected = f"expected a path at which no run is yet; got {folder.path}, which has "
    if changes:
        told = "; ".join([*changes, *asked])
        return f"{expected}another one: {told}; pass another path, or remove it"
    remedy = "pass resume=True to continue it, or another path, or remove it"
    if asked:
        return f"{expected}one that was asked otherwise: {'; '.join(asked)}; {remedy}"
    status = folder.status
    how = "has not ended" if status["reason"] == "running" else status["reason"]
    return f"{expected}one that {how} after {status['step']} steps; {remedy}"


def read_again(
    loop: Generator[Event, Any, None], ended: Mapping[str, Any]
) -> Generator[Event, Any, None]:
    """Yield the first event of a loop, which begins nothing, and how it has ended."""
    yield next(loop)
    loop.close()
    yield Finished(ended["reason"], ended["step"], ended["seconds"], ended["message"])


def _about(plan: Plan, beginning: Beginning) -> dict[str, Any]:
    from ampynb import __version__

    return {
        "ampynb": __version__,
        "seed": plan.seed,
        "algorithm": describe_algorithm(plan.algorithm),
        "table": describe_table(plan.posterior.model),
        "fingerprint": beginning.fingerprint,
        "asked": beginning.asked,
    }


def _continue(folder: Folder, beginning: Beginning, plan: Plan) -> None:
    _check_same(folder.about["fingerprint"], beginning.fingerprint)
    arrays = folder.arrays("state")
    try:
        state = decode_state(plan.algorithm.template(plan.posterior), arrays or {})
    except ValueError as error:
        raise StoreError(f"the state in {folder.path} does not fit: {error}") from error
    beginning.history.restore(folder.saved(), state)
    beginning.history.note_status(plan.algorithm.status(state))
    beginning.seconds = folder.status["seconds"]
    beginning.warnings = folder.status.get("warnings", ())
    _check_likelihood(plan, beginning.history)


def _check_same(former: Fingerprint, now: Fingerprint) -> None:
    changes = differences(former, now)
    if changes:
        raise ValueError(
            "expected the model, the data and the algorithm of the run to be "
            f"continued; got changes: {'; '.join(changes)}; undo them, or begin a run "
            "at another path"
        )


def _check_likelihood(plan: Plan, history: History) -> None:
    """Raise where the likelihood gives other values at draws than it gave then."""
    both = history.draws(SAMPLING), history.draws(WARMUP)
    draws = next((some for some in both if some and len(some.position)), None)
    if draws is None or not plan.algorithm.samples_posterior:
        return
    ndim = plan.posterior.model.ndim
    number = COMPARED if plan.posterior.analysis.use_jax else COMPARED_IN_NUMPY
    # Always as many, so that one program serves.
    steps = np.linspace(len(draws.position) - 1, 0, number).astype(int)
    vectors = np.stack([draws.position[i].reshape(-1, ndim)[0] for i in steps])
    stored = [float(draws.stats["log_likelihood"][i].flat[0]) for i in steps]
    computed = np.asarray(log_likelihoods(plan.posterior, vectors))
    tolerance = 1e-6 if jax.config.read("jax_enable_x64") else 1e-2
    for then, now in zip(stored, computed, strict=True):
        now = float(now) if np.isfinite(now) else -np.inf
        if np.isclose(now, then, rtol=tolerance, atol=tolerance):
            continue
        raise ValueError(
            f"expected the log likelihood {then:.10g} at a draw of the run to be "
            f"continued; got {now:.10g}; the likelihood has changed since: undo that, "
            "or begin a run at another path"
        )
