"""Corner plots of one result or of several, one over the other."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from ampynb.model.circle import nearest
from ampynb.model.options import names_options
from ampynb.plots.figure import (
    COLOURS,
    GREY,
    RENDER_LOCK,
    NotebookFigure,
    padded_range,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ampynb.results.columns import Columns

__all__ = ["corner", "drawable_draws", "names_for", "plot_corner"]

INCHES = 1.9
MOST_DRAWS = 50_000


@names_options
def corner(
    results: Any,
    parameters: Sequence[str] | None = None,
    interactive: bool = False,
    **options: Any,
) -> Any:
    """Draw the corner plot of one result, or of several by name.

    Parameters
    ----------
    results : Result, or dict of str to Result
        Several are drawn over each other, in the order given; they need the
        parameters in common.
    parameters : sequence of str, optional
        Names of parameters and latent variables; all parameters that the results share
        by default.
    interactive : bool
        Whether to show the samples themselves, beside their trace: a click on one, or
        on several at once, draws the fits they stand for.
    **options
        Passed on to `corner.corner`, as ``truths`` or ``bins``.

    Returns
    -------
    figure : NotebookFigure, or CornerExplorer where it is interactive

    Raises
    ------
    ValueError
        For parameters that not all results have, and for options with ``interactive``.
    """
    if isinstance(results, list | tuple):
        raise TypeError(
            "expected a result, or several by name; got them in a "
            f"{type(results).__qualname__}; write for instance "
            "corner({'first': one, 'second': other})"
        )
    named = results if isinstance(results, Mapping) else {"": results}
    names = names_for(named, parameters)
    if interactive:
        from ampynb.widgets.corner_explorer import explore_corner

        if options:
            raise ValueError(
                "expected no options of corner.corner with interactive=True; got "
                f"{', '.join(options)}; pass them to figure() of what it returns"
            )
        return explore_corner(named, names)
    columns = {key: result.columns(names) for key, result in named.items()}
    first = next(iter(columns.values()))
    labels = first.axis_labels
    if np.isfinite(first.periods).any():
        columns = {key: each.near(first.mean) for key, each in columns.items()}
        options = _near(options, first)
    figure = NotebookFigure(figsize=(INCHES * len(names) + 1,) * 2)
    draws = {key: drawable_draws(each) for key, each in columns.items()}
    plot_corner(figure, draws, labels, **options)
    return figure


def _near(options: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """Return options with truths that are a period from where they are drawn moved."""
    truths = options.get("truths")
    if truths is None:
        return dict(options)
    known = np.array([np.nan if one is None else one for one in truths], float)
    moved = nearest(known, columns.mean, columns.periods)
    return {**options, "truths": [None if np.isnan(one) else one for one in moved]}


def names_for(
    named: Mapping[str, Any], parameters: Sequence[str] | str | None
) -> list[str]:
    """Return the names of what is drawn of results: those given, or all they share."""
    chosen = [parameters] if isinstance(parameters, str) else parameters
    shared = _shared(list(named.values()), chosen or ())
    names = list(shared if chosen is None else chosen)
    unknown = [name for name in names if name not in shared]
    if unknown or not names:
        raise ValueError(
            f"expected parameters that all results have ({', '.join(shared)}); got "
            f"{', '.join(unknown) or 'none'}; {_remedy(named, unknown)}"
        )
    return names


def _remedy(named: Mapping[str, Any], unknown: Sequence[str]) -> str:
    stored = [name for one in named.values() for name in one.stored_latents]
    if set(unknown) & set(stored):
        return (
            "for latent variables give analysis and model too: ampynb.load(path, "
            "analysis, model)"
        )
    return "correct the names"


def _shared(results: Sequence[Any], chosen: Sequence[str]) -> list[str]:
    """Return the names that all results have.

    Latent variables are among them, and computed, where one is asked for.
    """
    tables = [list(result.table.names) for result in results]
    if not all(set(chosen) <= set(names) for names in tables):
        for result, names in zip(results, tables, strict=True):
            names += result.latents.samples.names if result.has_posterior else []
    return [name for name in tables[0] if all(name in names for names in tables)]


def drawable_draws(columns: Columns) -> np.ndarray:
    """Return the draws at which all is defined; a latent variable may not be."""
    draws = columns.flat
    finite = np.isfinite(draws).all(axis=1)
    if not finite.any():
        raise ValueError(
            f"expected draws at which {', '.join(columns.names)} are finite together; "
            "got none; leave out a latent variable"
        )
    return draws[finite]


def plot_corner(
    figure: Figure,
    draws: Mapping[str, np.ndarray],
    labels: Sequence[str],
    **options: Any,
) -> np.ndarray:
    """Draw sets of draws over each other.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    draws : dict of str to array, (n_draws, ndim)
    labels : sequence of str, (ndim,)
    **options
        Passed on to `corner.corner`.

    Returns
    -------
    array of axes, (ndim, ndim)
    """
    draw_corner = _corner_function()
    ranges, side = _ranges(draws), len(labels)
    truths = options.pop("truths", None) if side == 1 else None
    for colour, values in zip(itertools.cycle(COLOURS), draws.values(), strict=False):
        thin = max(len(values) // MOST_DRAWS, 1)
        settings = {
            "labels": labels,
            "color": colour,
            "range": ranges,
            "bins": 30,
            "smooth": 1.0,
            "plot_datapoints": False,
            "plot_density": len(draws) == 1,
            "levels": (0.393, 0.865),
            "show_titles": len(draws) == 1,
            "title_kwargs": {"fontsize": 9},
            "hist_kwargs": {"density": True},
            "label_kwargs": {"fontsize": 10},
            **options,
        }
        with RENDER_LOCK:
            draw_corner(values[::thin], fig=figure, **settings)
    if len(draws) > 1:
        handles = [
            Line2D([], [], color=colour, lw=2, label=name)
            for colour, name in zip(itertools.cycle(COLOURS), draws, strict=False)
        ]
        figure.legend(handles=handles, loc="upper right", frameon=False, fontsize=12)
    if truths is not None:  # corner cannot draw them in a single panel
        figure.axes[0].axvline(truths[0], color=options.get("truth_color", GREY))
    return np.array(figure.axes).reshape(side, side)


def _corner_function() -> Any:
    """Import corner, and with it ArviZ (seconds), without its note on a release."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from corner import corner
    return corner


def _ranges(draws: Mapping[str, np.ndarray]) -> list[tuple[float, float]]:
    """Return axis ranges that hold 99.8 % of every set of draws."""
    edges = np.stack([np.quantile(v, (0.001, 0.999), axis=0) for v in draws.values()])
    low, high = edges[:, 0].min(axis=0), edges[:, 1].max(axis=0)
    return list(zip(*padded_range(low, high, 0.03), strict=True))
