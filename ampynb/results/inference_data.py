"""The only place that knows ArviZ: its containers and its diagnostics.

ArviZ 0.2x (Python 3.11) keeps groups in ``InferenceData``, ArviZ 1.x (Python 3.12 and
later) in xarray's ``DataTree``. Outside this module there are xarray datasets only.
"""

from __future__ import annotations

import importlib.metadata
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

__all__ = [
    "bfmi",
    "container_from",
    "effective_sample_size",
    "groups_of",
    "r_hat",
    "read",
    "save",
    "to_dataset",
]


def _arviz() -> Any:
    """Import ArviZ (seconds), without its yearly note on the next release."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz


def _has_data_tree() -> bool:
    return int(importlib.metadata.version("arviz").split(".")[0]) >= 1


def container_from(
    groups: Mapping[str, Mapping[str, np.ndarray]],
    *,
    dims: Mapping[str, list[str]],
    coords: Mapping[str, Any],
    attributes: Mapping[str, Any],
    variable_attributes: Mapping[str, Mapping[str, Any]],
    further: Mapping[str, xr.Dataset],
) -> Any:
    """Make an ArviZ container.

    Parameters
    ----------
    groups : dict of group to dict of variable to array
        Arrays of sampled groups begin with the axes (chain, draw).
    dims, coords
        Names of the further axes of a variable, and their coordinates.
    attributes : dict
        Of the whole container.
    variable_attributes : dict of variable to dict
        As ``units`` and ``long_name``.
    further : dict of group to Dataset
        Groups that ArviZ does not know, as they are.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    arviz = _arviz()
    named = {"dims": dict(dims), "coords": dict(coords), "save_warmup": True}
    if _has_data_tree():
        data = arviz.from_dict(dict(groups), attrs={"/": dict(attributes)}, **named)
    else:
        data = arviz.from_dict(**groups, attrs=dict(attributes), **named)
    for group in groups:
        for name in groups[group]:
            data[group][name].attrs.update(variable_attributes.get(name, {}))
    for group, dataset in further.items():
        if _has_data_tree():
            data[group] = xr.DataTree(dataset)
        else:
            data.add_groups({group: dataset}, warn_on_custom_groups=False)
    return data


def to_dataset(container: Any, group: str) -> xr.Dataset:
    """Return one group of a container as a dataset, whatever the container."""
    found = container[group]
    return found.to_dataset() if isinstance(found, xr.DataTree) else found


def groups_of(container: Any) -> dict[str, xr.Dataset]:
    """Return the groups of a container by name."""
    if isinstance(container, xr.DataTree):
        return {name: to_dataset(container, name) for name in container.children}
    return {name: container[name] for name in container.groups()}


def read(path: Path) -> Any:
    """Return the container in a NetCDF file, read into memory.

    Raises
    ------
    ValueError
        For a file of another format.
    """
    try:
        # Of its bytes: no handle stays that would keep the file from being written.
        content = io.BytesIO(path.read_bytes())
        container = _arviz().from_netcdf(content, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"expected a NetCDF file; got {path}, which cannot be read as one "
            f"({error}); write one with result.to_netcdf"
        ) from error
    return container.load()


def save(container: Any, path: str) -> None:
    """Write a container to a NetCDF file."""
    container.to_netcdf(path, engine="h5netcdf")


def r_hat(draws: np.ndarray) -> np.ndarray:
    """Return the rank-normalised split R-hat, (ndim,), of (n, chain, ndim) draws.

    Source: Vehtari et al. 2021, Bayesian Analysis 16, 667. NaN for a single chain, and
    for an element that is not finite at each draw.
    """
    if draws.shape[1] < 2:
        return np.full(draws.shape[-1], np.nan)
    return _by_element("rhat", draws)


def effective_sample_size(draws: np.ndarray, method: str = "bulk") -> np.ndarray:
    """Return the effective sample size, (ndim,), of (n, chain, ndim) draws.

    ``method`` is ``"bulk"`` or ``"tail"`` (Vehtari et al. 2021). NaN for an element
    that is not finite at each draw.
    """
    return _by_element("ess", draws, method=method)


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Return E-BFMI, (nchains,), of (n, nchains) energies (Betancourt 2016)."""
    return np.asarray(_arviz().bfmi(np.ascontiguousarray(energy.T)))


def _by_element(function: str, draws: np.ndarray, **options: Any) -> np.ndarray:
    answers = np.full(draws.shape[-1], np.nan)
    defined = np.isfinite(draws).all(axis=(0, 1))
    if draws.shape[0] < 4 or not defined.any():
        return answers
    chains = np.moveaxis(draws[..., defined], 1, 0)
    dataset = xr.Dataset({"x": (("chain", "draw", "i"), chains)})
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing varies
        found = getattr(_arviz(), function)(dataset, **options)
    answers[defined] = found["x"]
    return answers
