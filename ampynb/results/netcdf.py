"""Results in NetCDF files: the record that an export keeps, and the way back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws, Estimate, Outcome
from ampynb.algorithms.registry import describe_algorithm, described_algorithm
from ampynb.algorithms.tempered import EVERY_TEMPERATURE
from ampynb.analysis.rejections import Rejections
from ampynb.results.history import History
from ampynb.results.inference_data import groups_of, read
from ampynb.results.stored_table import StoredTable, describe_table, posterior_with

if TYPE_CHECKING:
    import xarray as xr

    from ampynb.analysis.analysis import Analysis
    from ampynb.model.model import Model
    from ampynb.model.parameter import Collection as Group
    from ampynb.results.result import Result

__all__ = ["RECORD", "TOTAL_LOG_LIKELIHOOD", "load", "own_name", "record_of"]

RECORD = "ampynb_result"  # the attribute that holds what the groups do not
TOTAL_LOG_LIKELIHOOD = "total_log_likelihood"  # log_likelihood, among the statistics


def own_name(name: str, parameters: Collection[str]) -> str:
    """Return the name of an axis or a statistic beside parameters: theirs stay."""
    while name in parameters:
        name += "_"
    return name


def record_of(result: Result) -> str:
    """Return what ArviZ's groups do not hold of a result, as JSON."""
    outcome = result.outcome
    return json.dumps(
        {
            "table": describe_table(result.table),
            "algorithm": describe_algorithm(result.algorithm),
            "message": result.message,
            "devices": result.devices,
            "warnings": list(result.warnings),
            "rejections": result.history.rejections.as_dict(),
            "remarks": list(result.history.remarks),
            "log_evidence": outcome.log_evidence,
            "trouble": list(outcome.trouble),
        }
    )


def load(
    path: str | Path,
    analysis: Analysis | None = None,
    model: Model | Group | None = None,
) -> Result:
    """Return the result in a NetCDF file that `Result.to_netcdf` has written.

    Parameters
    ----------
    path : str or Path
    analysis, model : optional
        Those that were fitted. Without them there are tables, diagnostics, corner and
        trace plots and `Result.idata`; with them also fits and latent variables.

    Returns
    -------
    Result
        Its ``idata`` is the container in the file, whole.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is none of `Result.to_netcdf`, or the model has other
        parameters than the result.

    Examples
    --------
    >>> result.to_netcdf("line.nc")
    >>> again = anb.load("line.nc")
    """
    from ampynb.results.result import Result, result_class

    container = read(_checked(path))
    attributes, groups = container.attrs, groups_of(container)
    if RECORD not in attributes:
        raise ValueError(
            "expected a NetCDF file that Result.to_netcdf of this version has written; "
            f"got {path}, by {attributes.get('inference_library', 'another program')} "
            f"{attributes.get('inference_library_version', '')}; read its groups with "
            "arviz.from_netcdf"
        )
    record = json.loads(attributes[RECORD])
    table = StoredTable.from_description(record["table"])
    outcome = _outcome(groups, table, record)
    history = History()
    history.rejections = Rejections.from_dict(record["rejections"])
    history.said = tuple(record["remarks"])
    for phase, prefix in ((WARMUP, "warmup_"), (SAMPLING, "")):
        if f"{prefix}posterior" in groups:
            history.append(_draws(groups, table, phase, prefix, outcome))
    kind = Result if analysis is None else result_class(analysis)
    return kind(
        posterior_with(table, analysis, model),
        described_algorithm(record["algorithm"]),
        history,
        seed=int(attributes["seed"]),
        seconds=float(attributes["sampling_time"]),
        reason=attributes["stop_reason"],
        message=record["message"],
        table=table,
        devices=record["devices"],
        warnings=record["warnings"],
        outcome=outcome,
        idata=container,
    )


def _checked(path: str | Path) -> Path:
    """Return the path of a file, or raise."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(
            f"expected a NetCDF file; got the folder {path}; open the folder of a run "
            "with ampynb.open_run"
        )
    if not path.exists():
        raise FileNotFoundError(
            f"expected a NetCDF file; got {path}, which is not there; write one with "
            "result.to_netcdf"
        )
    return path


def _draws(
    groups: Mapping[str, xr.Dataset],
    table: StoredTable,
    phase: str,
    prefix: str,
    outcome: Outcome,
) -> Draws:
    position = _position(groups[f"{prefix}posterior"], table)
    stats = _by_draw(groups[f"{prefix}sample_stats"])
    if phase == WARMUP:
        return Draws(position, stats, phase)
    of_steps = groups.get("step_stats", {})
    step_stats = {str(name): np.asarray(of_steps[name]) for name in of_steps}
    if outcome.tempered:
        step_stats |= {
            kept: np.asarray(outcome.tempered[name])
            for name, kept in EVERY_TEMPERATURE.items()
        }
    return Draws(position, stats, phase, step_stats)


def _outcome(
    groups: Mapping[str, xr.Dataset], table: StoredTable, record: Mapping[str, Any]
) -> Outcome:
    weighted, tempered = {}, {}
    if "weighted_posterior" in groups:
        group = groups["weighted_posterior"]
        weighted = _others(group, table) | {"position": _flat(group, table)}
    if "tempered_posterior" in groups:
        names = [row.name for row in table.free()]
        group = groups["tempered_posterior"].transpose(
            "draw", own_name("temperature", names), "chain", ...
        )
        tempered = _others(group, table) | {"position": _flat(group, table)}
        tempered["beta"] = np.asarray(group[own_name("beta", names)])
    return Outcome(
        _position(groups["posterior"], table),
        _by_draw(groups["sample_stats"]),
        {name: Estimate(*pair) for name, pair in record["log_evidence"].items()},
        weighted,
        tuple(record["trouble"]),
        tempered,
    )


def _position(group: xr.Dataset, table: StoredTable) -> np.ndarray:
    """Return draws as (n_draws, nwalkers, ndim)."""
    return _flat(group.transpose("draw", "chain", ...), table)


def _flat(group: xr.Dataset, table: StoredTable) -> np.ndarray:
    """Return the free parameters of a group with their elements on one last axis."""
    parts = []
    for row in table.free():
        values = np.asarray(group[row.name])
        leading = values.shape[: values.ndim - len(row.shape)]
        parts.append(values.reshape(*leading, row.size))
    return np.concatenate(parts, axis=-1)


def _by_draw(group: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the statistics of a group, each (n_draws, nwalkers)."""
    ordered = group.transpose("draw", "chain", ...)
    stats = {str(name): np.asarray(ordered[name]) for name in ordered.data_vars}
    if TOTAL_LOG_LIKELIHOOD in stats:
        stats["log_likelihood"] = stats.pop(TOTAL_LOG_LIKELIHOOD)
    return stats


def _others(group: xr.Dataset, table: StoredTable) -> dict[str, np.ndarray]:
    """Return the variables of a group that are no parameters."""
    parameters = {row.name for row in table.free()}
    names = [name for name in group.data_vars if name not in parameters]
    return {str(name).rstrip("_"): np.asarray(group[name]) for name in names}
