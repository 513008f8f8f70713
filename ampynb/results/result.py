"""What a run leaves: draws, and everything that is made of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.algorithms.algorithm import (
    SAMPLING,
    WARMUP,
    Algorithm,
    Draws,
    Estimate,
    Outcome,
)
from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model
from ampynb.model.table import suggest
from ampynb.results.diagnostics import (
    Diagnostics,
    summary_columns,
    weighted_columns,
)
from ampynb.results.export import inference_data
from ampynb.results.stored_table import StoredTable

if TYPE_CHECKING:
    import pandas as pd

    from ampynb.plots.figure import NotebookFigure
    from ampynb.results.history import History

__all__ = ["Result"]

FEWEST_DRAWS = 4  # of each walker, for a table


class Result:
    """Draws from a posterior, whole or as far as the run came.

    Attributes
    ----------
    table : Model or StoredTable
        Names, labels and units of the parameters.
    algorithm : Algorithm
    seed : int
    seconds : float
        Computing time, compilation included [s].
    reason : str
        Why the run ended: ``"completed"``, ``"stopped"``, ``"failed"``, or
        ``"killed"`` for one that has left a folder and no word of its end;
        ``"running"`` for a look at a run that goes on.
    message : str
        What a stopping rule says of the run, or the error that ended it.
    devices : int
        How many of JAX's devices shared the work.
    history : History
        What was drawn, step by step.
    warmup : array, (n_draws, nwalkers, ndim) [model units]
        Draws of the burn-in.
    warmup_stats : dict of str to array, (n_draws, nwalkers)
    """

    def __init__(
        self,
        posterior: Posterior | None,
        algorithm: Algorithm,
        history: History,
        *,
        seed: int,
        seconds: float,
        reason: str,
        message: str = "",
        table: Model | StoredTable | None = None,
        live: Draws | None = None,
        devices: int = 1,
    ):
        self.algorithm, self.history = algorithm, history
        self.seed, self.seconds = seed, seconds
        self.reason, self.message, self.devices = reason, message, devices
        self._posterior = posterior
        self.table: Any = posterior.model if posterior is not None else table
        nothing = np.zeros((0, algorithm.nwalkers, self.table.ndim))
        seen = history.snapshot()
        warmup = seen.warmup or Draws(nothing, {}, WARMUP)
        self.warmup, self.warmup_stats = warmup.position, warmup.stats
        self._drawn = seen.sampling or Draws(nothing, {}, SAMPLING)
        self._live, self._highest = live, seen.best
        if live is None and seen.state is not None and len(self._drawn.position):
            self._live = algorithm.live(seen.state)

    @property
    def posterior(self) -> Posterior:
        """The posterior that was sampled.

        Raises
        ------
        ValueError
            For a run opened from its folder without model and analysis.
        """
        if self._posterior is None:
            raise ValueError(
                "expected the analysis and the model of the run; got its folder alone; "
                "open it with ampynb.open_run(path, analysis, model)"
            )
        return self._posterior

    @property
    def model(self) -> Any:
        """The model that was fitted."""
        return self.posterior.model

    @property
    def analysis(self) -> Any:
        """The analysis that was fitted."""
        return self.posterior.analysis

    @property
    def has_posterior(self) -> bool:
        """Whether model and analysis are at hand."""
        return self._posterior is not None

    # Draws

    @functools.cached_property
    def outcome(self) -> Outcome:
        """What the draws amount to: of equal weight, weighted, and the evidence."""
        if not len(self._drawn.position):
            return Outcome(self._drawn.position, {})
        return self.algorithm.finish(self._drawn, self._live)

    @property
    def draws(self) -> np.ndarray:
        """Draws of equal weight, (n_draws, nwalkers, ndim) [model units]."""
        return self.outcome.position

    @property
    def stats(self) -> Mapping[str, np.ndarray]:
        """Numbers of each draw by ArviZ's names, (n_draws, nwalkers)."""
        return self.outcome.stats

    @property
    def step_stats(self) -> Mapping[str, np.ndarray]:
        """Numbers of whole steps, (n_draws, ...), as the temperatures of a ladder."""
        return self._drawn.step_stats

    @property
    def flat_draws(self) -> np.ndarray:
        """All draws after the burn-in, (n_draws * nwalkers, ndim) [model units]."""
        return self.draws.reshape(-1, self.table.ndim)

    @property
    def log_evidence(self) -> Estimate | None:
        """Log evidence and its standard error, or None where there is none.

        By the most reliable of the algorithm's methods; ``outcome.log_evidence`` has
        them all.
        """
        return next(iter(self.outcome.log_evidence.values()), None)

    # Points

    def max_log_likelihood(self) -> Any:
        """Return the instance with the highest log likelihood among the draws."""
        return self.model.instance_from_vector(self._best()[0])

    @property
    def log_likelihood(self) -> float:
        """The highest log likelihood among the draws."""
        return self._best()[1]

    def _best(self) -> tuple[np.ndarray, float]:
        weighted = self.outcome.weighted
        if weighted:  # the points that are still alive are the best
            best = int(np.argmax(weighted["log_likelihood"]))
            value = float(weighted["log_likelihood"][best])
            return np.asarray(weighted["position"][best]), value
        if self._highest is None:
            raise ValueError(self._no_draws("a draw"))
        return self._highest.position, self._highest.value

    def median(self) -> Any:
        """Return the instance at the median of each parameter."""
        self._need_draws()
        return self.model.instance_from_vector(np.median(self.flat_draws, axis=0))

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Return ``n`` draws at random, (n, ndim) [model units].

        None is taken twice, unless more are asked for than there are.
        """
        self._need_draws()
        available = len(self.flat_draws)
        random = np.random.default_rng(seed)
        return self.flat_draws[random.choice(available, n, replace=n > available)]

    def _need_draws(self) -> None:
        if len(self.draws) == 0:
            raise ValueError(self._no_draws("draws of the posterior"))

    def _no_draws(self, wanted: str) -> str:
        burnt = f" after {len(self.warmup)} steps of burn-in"
        return (
            f"expected {wanted}; got {len(self.draws)}: the run {self.reason}"
            f"{burnt if self.algorithm.burn else ''}; run it longer"
        )

    # Tables

    @functools.cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        self._need_draws()
        weighted = self.outcome.weighted
        if weighted:
            return weighted_columns(weighted["position"], weighted["log_weight"])
        independent = self.algorithm.independent_chains or not (
            self.algorithm.draws_chains
        )
        return summary_columns(self.draws, independent)

    def summary(self) -> pd.DataFrame:
        """Return the posterior table, one row for each element of the vector.

        Returns
        -------
        DataFrame
            Columns ``unit, mean, sd, q05, median, q95, mcse_mean, ess_bulk, ess_tail,
            r_hat``, and ``tau`` [steps] for ensembles. R-hat of an ensemble takes its
            walkers for chains: it can show that a run has not converged, not that it
            has. Weighted draws have no chains, and ``ess`` in the place of these.
        """
        import pandas as pd

        table = pd.DataFrame(self._columns, index=self.table.names)
        table.insert(0, "unit", self.table.units)
        return table

    def diagnostics(self) -> Diagnostics:
        """Return how far the draws can be trusted, in numbers and in plain words."""
        few = len(self.draws) < FEWEST_DRAWS
        too_few = [self._no_draws(f"{FEWEST_DRAWS} draws of each walker or more")]
        return Diagnostics(
            names=self.table.names,
            columns={} if few else self._columns,
            steps=len(self.draws),
            stats=self.stats,
            step_stats=self.step_stats,
            trouble=[*(too_few if few else []), *self.outcome.trouble],
        )

    def verdict(self) -> list[str]:
        """Return what speaks against these draws, in words; empty where nothing."""
        return self.diagnostics().verdict

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after the warm-up."""
        return int(np.sum(self.stats.get("diverging", 0)))

    # ArviZ

    @functools.cached_property
    def idata(self) -> Any:
        """ArviZ's container: `InferenceData` (0.2x) or `DataTree` (1.x)."""
        return inference_data(self)

    def to_netcdf(self, path: str | Path) -> Path:
        """Write `idata` to a NetCDF file, which ArviZ reads, and return its path."""
        from ampynb.results.inference_data import save

        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(self.idata, str(path))
        return path

    # Pictures

    def corner(self, parameters: Any = None, **options: Any) -> NotebookFigure:
        """Draw the corner plot; see `ampynb.corner` for the options."""
        from ampynb.plots.corner import corner

        self._need_draws()
        return corner(self, parameters, **options)

    def trace(self, parameters: Any = None) -> NotebookFigure:
        """Draw the chains, burn-in shaded, and the distributions beside them."""
        from ampynb.plots.corner import axis_label
        from ampynb.plots.figure import NotebookFigure
        from ampynb.plots.trace import plot_trace

        names = self.table.names
        parameters = [parameters] if isinstance(parameters, str) else parameters
        for name in parameters or ():
            if name not in names:
                raise ValueError(suggest(name, names))
        chosen = [names.index(name) for name in parameters or names]
        figure = NotebookFigure(figsize=(9, 1.2 * len(chosen) + 0.6))
        parts = [part for part in (self.warmup, self.draws) if len(part)]
        if not parts:
            raise ValueError(self._no_draws("a draw"))
        position = np.concatenate(parts)[..., chosen]
        labels = [axis_label(self.table, element) for element in chosen]
        plot_trace(figure, position, labels, warmup=len(self.warmup))
        return figure

    def plot_fit(self, n: int = 200, mass: float = 0.68) -> NotebookFigure:
        """Draw the median fit, the best one dashed, a band and the residuals.

        Those of a joint analysis are drawn side by side.

        Parameters
        ----------
        n : int
            Posterior draws that the band is made of.
        mass : float
            Share of their models that the band holds.
        """
        from ampynb.plots.figure import NotebookFigure
        from ampynb.plots.panels import columns_of, panels_for

        analysis = self.analysis
        fit = analysis.fit_for_visualization(self.median())
        columns, rows = columns_of(fit)
        size = (8, 5.5) if columns == 1 else (5.5 * columns, 4.5 * rows)
        figure = NotebookFigure(figsize=size)
        panels = panels_for(figure, analysis.panel(), fit)
        panels.add_band(analysis.fits_for_visualization(self._instances(n)), mass)
        panels.add_best(analysis.fit_for_visualization(self.max_log_likelihood()))
        return figure

    def _instances(self, n: int) -> Any:
        import jax

        return jax.vmap(self.model.instance_from_vector)(self.sample(n))

    # Views

    def _headline(self) -> str:
        shape = " x ".join(map(str, self.draws.shape[:2]))
        return (
            f"{self.algorithm.name}, {self.reason}: {shape} draws of "
            f"{self.table.ndim} parameters in {self.seconds:.1f} s"
            + (f" on {self.devices} devices" if self.devices > 1 else "")
        )

    def _remarks(self) -> list[str]:
        """Return what is told below the headline."""
        evidence = [
            f"log evidence {estimate} by {method.replace('_', ' ')}"
            for method, estimate in self.outcome.log_evidence.items()
        ]
        return [*evidence, *filter(None, [self.message])]

    def __repr__(self) -> str:
        lines = [f"Result of {self._headline()}", *self._remarks()]
        if len(self.draws) >= FEWEST_DRAWS:
            lines.append(self.summary().round(4).to_string())
        return "\n".join([*lines, *self.verdict()])

    def _repr_html_(self) -> str:
        table = ""
        if len(self.draws) >= FEWEST_DRAWS:
            table = self.summary().to_html(float_format="{:.4g}".format, border=0)
        remarks = "".join(f"<div>{escape(line)}</div>" for line in self._remarks())
        told = "".join(f"<div>⚠ {escape(line)}</div>" for line in self.verdict())
        fine = "<div>✓ nothing speaks against these draws</div>"
        return f"<b>{escape(self._headline())}</b>{remarks}{table}{told or fine}"
