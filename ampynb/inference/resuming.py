"""Where a run begins: afresh, in a folder, or where a former one has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.algorithms.codec import decode_state
from ampynb.algorithms.registry import describe_algorithm
from ampynb.algorithms.start import log_likelihoods
from ampynb.distributed.hosts import agreed, is_first
from ampynb.inference.fingerprint import differences, fingerprint
from ampynb.inference.loop import Plan
from ampynb.inference.recorder import Recorder
from ampynb.inference.request import Request
from ampynb.inference.store import MANIFEST, Folder, StoreError
from ampynb.results.history import History
from ampynb.results.stored_table import describe_table

__all__ = ["Beginning", "begin"]


@dataclass
class Beginning:
    """What a run begins with.

    Attributes
    ----------
    history : History
        With the draws and the state of the run that it continues.
    seconds : float
        Computing time that those took [s].
    recorder : Recorder, optional
        Where the run has a folder.
    """

    history: History = field(default_factory=History)
    seconds: float = 0.0
    recorder: Recorder | None = None


def begin(
    plan: Plan, request: Request, last: tuple[Plan, History, float] | None
) -> Beginning:
    """Return what a run begins with.

    Parameters
    ----------
    plan : Plan
    request : Request
    last : Plan, History and seconds, optional
        The engine's last run, which ``resume=True`` without a path continues.

    Raises
    ------
    StoreError
        Where the folder cannot be used.
    ValueError
        Where model, data or algorithm are not those of the run to be continued.
    """
    if request.path is None:
        return _in_memory(plan, last) if request.resume else Beginning()
    path = Path(request.path).expanduser()
    resume = request.resume
    if resume == "auto":
        resume = bool(agreed((path / MANIFEST).exists()))
    about = _about(plan)
    if resume:
        folder = Folder.open(path)
        beginning = _resumed(plan, folder)
        folder.about = about
    elif is_first():
        folder, beginning = Folder.create(path, about), Beginning()
    else:
        return Beginning()
    if is_first():
        folder.hold()
        beginning.recorder = Recorder(folder, plan.algorithm, beginning.history)
    return beginning


def _about(plan: Plan) -> dict[str, Any]:
    from ampynb import __version__

    return {
        "ampynb": __version__,
        "seed": plan.seed,
        "algorithm": describe_algorithm(plan.algorithm),
        "table": describe_table(plan.posterior.model),
        "fingerprint": fingerprint(plan),
    }


def _in_memory(plan: Plan, last: tuple[Plan, History, float] | None) -> Beginning:
    if last is None or last[1].state is None:
        raise ValueError(
            "expected a former run of this engine, or a path, with resume=True; got "
            "neither; run once without resume, or give path="
        )
    former, history, seconds = last
    _check_same(fingerprint(former), plan, has_state=True)
    return Beginning(history, seconds)


def _resumed(plan: Plan, folder: Folder) -> Beginning:
    arrays = folder.arrays("state")
    _check_same(folder.about["fingerprint"], plan, has_state=arrays is not None)
    beginning = Beginning(seconds=folder.status["seconds"])
    if arrays is None:  # it was killed before its first commit
        return beginning
    try:
        state = decode_state(plan.algorithm.template(plan.posterior), arrays)
    except ValueError as error:
        raise StoreError(f"the state in {folder.path} does not fit: {error}") from error
    beginning.history.restore(folder.draws, state)
    _check_likelihood(plan, beginning.history)
    return beginning


def _check_same(former: dict, plan: Plan, has_state: bool) -> None:
    now = fingerprint(plan)
    if has_state:  # the state says where the walkers are
        former = {**former, "run": {**former["run"], "start": now["run"]["start"]}}
    changes = differences(former, now)
    if changes:
        raise ValueError(
            "expected the model, the data and the algorithm of the run to be "
            f"continued; got changes: {'; '.join(changes)}; undo them, or begin a run "
            "at another path"
        )


def _check_likelihood(plan: Plan, history: History) -> None:
    """Raise where the likelihood gives another value at a draw than it gave then."""
    draws = history.draws(SAMPLING) or history.draws(WARMUP)
    if draws is None:
        return
    then = float(draws.stats["log_likelihood"][-1].flat[0])
    vector = np.asarray(draws.position[-1].reshape(-1, plan.posterior.model.ndim)[:1])
    now = float(log_likelihoods(plan.posterior, vector)[0])
    tolerance = 1e-6 if jax.config.read("jax_enable_x64") else 1e-2
    if not np.isclose(now, then, rtol=tolerance, atol=tolerance):
        raise ValueError(
            f"expected the log likelihood {then:.10g} at a draw of the run to be "
            f"continued; got {now:.10g}; the likelihood has changed since: undo that, "
            "or begin a run at another path"
        )
