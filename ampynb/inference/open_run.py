"""Any run folder, finished or not, as a result."""

from __future__ import annotations

from pathlib import Path

from ampynb.algorithms.algorithm import Draws
from ampynb.algorithms.registry import described_algorithm
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.rejections import Rejections
from ampynb.inference.folder_lock import is_locked
from ampynb.inference.hooks import made_result
from ampynb.inference.store import Folder
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.results.history import History
from ampynb.results.result import Result
from ampynb.results.stored_table import StoredTable, posterior_with

__all__ = ["open_run"]


def open_run(
    path: str | Path,
    analysis: Analysis | None = None,
    model: Model | Collection | None = None,
) -> Result:
    """Return the result of a run that was saved, also of one that goes on.

    The draws are read from their files when they are used.

    Parameters
    ----------
    path : str or Path
        What ``run(path=...)`` was given.
    analysis, model : optional
        Those that were fitted. Without them there are tables, diagnostics, corner and
        trace plots and ArviZ's posterior; with them also fits, the prior and the
        groups of the data.

    Raises
    ------
    StoreError
        Where there is no run, or where a file is not as it was written.
    ValueError
        Where the model has other parameters than the run.
    """
    path = Path(path).expanduser().absolute()
    has_writer = is_locked(path)
    folder = Folder.open(path, kinds=("live",))
    about, status = folder.about, folder.status
    table = StoredTable.from_description(about["table"])
    posterior = posterior_with(table, analysis, model)
    history = History()
    history.restore(folder.saved(), None)
    history.rejections = Rejections.from_dict(status.get("rejections", {}))
    history.said = tuple(status.get("remarks", ()))
    live = folder.arrays("live")
    position = None if live is None else live.pop("position")
    reason = status["reason"]
    if reason == "running" and has_writer is False:
        reason = "killed"
    warnings = list(status.get("warnings", ()))
    parts = {
        "posterior": posterior,
        "algorithm": described_algorithm(about["algorithm"]),
        "history": history,
        "seed": about["seed"],
        "seconds": status["seconds"],
        "reason": reason,
        "message": status.get("message", ""),
        "table": table,
        "live": None if position is None else Draws(position, live or {}, "sampling"),
        "warnings": warnings,
    }
    if analysis is None:
        return Result(**parts)
    return made_result(
        analysis, parts, lambda hook, error: warnings.append(f"{hook} failed: {error}")
    )
