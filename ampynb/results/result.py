"""What a run leaves: draws, and everything that is made of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
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
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.latent import LatentError
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.program import ChangedError
from ampynb.model.model import Model
from ampynb.model.options import checked_count
from ampynb.results import chaining
from ampynb.results.columns import columns_of
from ampynb.results.export import inference_data
from ampynb.results.factor import Factor
from ampynb.results.history import Best
from ampynb.results.inference_data import groups_of
from ampynb.results.intervals import errors_at_sigma, values_at_sigma
from ampynb.results.latents import Latents
from ampynb.results.maximise import maximise
from ampynb.results.points import Points
from ampynb.results.samples_summary import SamplesSummary
from ampynb.results.stored_table import StoredTable
from ampynb.results.tables import columns_of_table, diagnostics, no_draws, summary
from ampynb.results.unchanged import changed_since, check_unchanged
from ampynb.results.views import as_html, as_text

if TYPE_CHECKING:
    from ampynb.plots.figure import NotebookFigure
    from ampynb.results.history import History

__all__ = ["Result", "result_class"]


class Result:
    """Draws from a posterior, whole or as far as the run came.

    Subclass it to add what your analysis makes of them, and name the subclass as the
    analysis' ``Result``.

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
    warnings : sequence of str
        Which hooks of the analysis failed, and how; the draws are not touched by it.
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
        warnings: Sequence[str] = (),
        outcome: Outcome | None = None,
        idata: Any = None,
    ):
        # The last two are made of the draws where they are first asked for.
        self.algorithm, self.history = algorithm, history
        self.seed, self.seconds = seed, seconds
        self.reason, self.message, self.devices = reason, message, devices
        self.warnings = warnings
        self._posterior = posterior
        self.table: Any = posterior.model if posterior is not None else table
        history.periods = self.table.periods
        nothing = np.zeros((0, algorithm.nwalkers, self.table.ndim))
        seen = history.snapshot()
        warmup = seen.warmup or Draws(nothing, {}, WARMUP)
        self.warmup, self.warmup_stats = warmup.position, warmup.stats
        self._drawn = seen.sampling or Draws(nothing, {}, SAMPLING)
        self._live, self._highest = live, seen.best
        self._idata, self._latents = idata, None
        if outcome is not None:
            self.outcome = outcome
        if live is None and seen.state is not None and len(self._drawn.position):
            self._live = algorithm.live(seen.state)

    @property
    def posterior(self) -> Posterior:
        """The posterior that was sampled.

        Raises
        ------
        ValueError
            For a run read from its folder or a file without model and analysis.
        """
        if self._posterior is None:
            raise ValueError(
                "expected the analysis and the model of the run; got its draws alone; "
                "give both to ampynb.open_run(path, analysis, model), or to load"
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

    def __getitem__(self, name: str | int) -> Factor:
        """Return what a joint fit says of one of its analyses: ``result["radio"]``."""
        return Factor(self, str(name))

    # Without it Python would count through __getitem__, which takes names.
    __iter__ = None

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

    @property
    def best(self) -> Best:
        """The draw with the highest log likelihood: ``value`` and ``position``."""
        weighted = self.outcome.weighted
        if weighted:  # the points that are still alive are the best
            best = int(np.argmax(weighted["log_likelihood"]))
            value = float(weighted["log_likelihood"][best])
            return Best(value, np.asarray(weighted["position"][best]))
        if self._highest is None:
            raise ValueError(no_draws(self, "a draw"))
        return self._highest

    @property
    def instance(self) -> Any:
        """The instance with the highest log likelihood among the draws."""
        return self.model.instance_from_vector(self.best.position)

    def max_log_likelihood(self) -> Any:
        """Return `instance`."""
        return self.instance

    @property
    def log_likelihood(self) -> float:
        """The highest log likelihood among the draws: that of `instance`."""
        return self.best.value

    maximise = maximise

    @property
    def points(self) -> Points:
        """The draws in one list, with their weights where these are not equal."""
        self._need_draws()
        weighted = self.outcome.weighted
        if weighted:
            weights = np.exp(weighted["log_weight"])
            return Points.of(self.table, weighted["position"], weights)
        return Points.of(self.table, self.flat_draws)

    def median(self) -> Any:
        """Return the instance at the median of each parameter."""
        return self.model.instance_from_vector(self.points.median())

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Return ``n`` draws at random, (n, ndim) [model units].

        None is taken twice, unless more are asked for than there are.
        """
        self._need_draws()
        n = checked_count("n", n, least=0, usual=100)
        available = len(self.flat_draws)
        random = np.random.default_rng(seed)
        return self.flat_draws[random.choice(available, n, replace=n > available)]

    def draw_instances(self, n: int, seed: int = 0) -> list:
        """Return ``n`` draws at random as instances; see `sample`."""
        draws = self.sample(n, seed)
        return [self.model.instance_from_vector(vector) for vector in draws]

    def _need_draws(self) -> None:
        if len(self.draws) == 0:
            raise ValueError(no_draws(self, "draws of the posterior"))

    def check_unchanged(self) -> None:
        """Raise `ChangedError` where the likelihood has changed since the run."""
        check_unchanged(self)

    # Widths

    @functools.cached_property
    def samples_summary(self) -> SamplesSummary:
        """Best point, medians and intervals at 1, 2 and 3 sigma, fit for JSON."""
        return SamplesSummary.of(self.table, self.points, self.best, self.log_evidence)

    values_at_sigma = values_at_sigma
    errors_at_sigma = errors_at_sigma

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the posterior, (ndim, ndim) [model units, squared]."""
        return self.points.covariance()

    # The next fit's model

    projected_model = property(chaining.projected_model)
    model_centred = property(chaining.model_centred)
    model_centred_relative = chaining.model_centred_relative
    model_centred_absolute = chaining.model_centred_absolute
    model_centred_max_lh_bounded = chaining.model_centred_max_lh_bounded

    # Latent variables

    @property
    def latents_or_error(self) -> Latents | LatentError | None:
        """`latents`, or what went wrong with them; None without model and analysis."""
        if self._latents is None and self.has_posterior:
            try:
                self._latents = Latents(self)
            except LatentError as error:  # told in the verdict, raised where used
                if isinstance(error.__cause__, ChangedError):
                    return error  # what was changed may be undone
                self._latents = error
        return self._latents

    @property
    def latents(self) -> Latents:
        """Latent variables by name, (n_draws, nwalkers, ...); empty without any.

        Raises
        ------
        LatentError
            Where they cannot be computed.
        """
        found = self.latents_or_error
        if isinstance(found, LatentError):
            raise found
        return Latents(self) if found is None else found

    @property
    def stored_latents(self) -> list[str]:
        """Names of latent variables that a file has, read without analysis and model.

        Their draws are in `idata`.
        """
        if self.has_posterior or self._idata is None:
            return []
        return list(map(str, groups_of(self._idata).get("latent", ())))

    # Tables

    columns = columns_of
    summary = summary

    @functools.cached_property
    def table_columns(self) -> dict[str, np.ndarray]:
        """Columns of `summary` for the parameters, each (ndim,)."""
        return columns_of_table(self, self.table, self.draws, self.points)

    diagnostics = diagnostics

    def verdict(self) -> list[str]:
        """Return what speaks against these draws, in words; empty where nothing."""
        return self.diagnostics().verdict

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after the warm-up."""
        return int(np.sum(self.stats.get("diverging", 0)))

    # ArviZ

    @property
    def idata(self) -> Any:
        """ArviZ's container: `InferenceData` (0.2x) or `DataTree` (1.x).

        Data that have changed since the run are left out, and a warning says so.
        """
        if self._idata is not None:
            return self._idata
        changed = changed_since(self)
        made = inference_data(self, changed)
        if changed is None:  # or what was changed may be undone
            self._idata = made
        return made

    def to_netcdf(self, path: str | Path) -> Path:
        """Write `idata` to a NetCDF file and return its path.

        `ampynb.load` makes a result of it again; ArviZ reads it too.
        """
        from ampynb.results.inference_data import save

        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(self.idata, str(path))
        return path

    # Pictures

    def corner(
        self, parameters: Any = None, interactive: bool = False, **options: Any
    ) -> Any:
        """Draw the corner plot, with ``interactive`` one whose samples show their fits.

        See `ampynb.corner` for what is drawn, the options, and what is returned.
        """
        from ampynb.plots.corner import corner

        self._need_draws()
        return corner(self, parameters, interactive, **options)

    def replay(self, parameters: Any = None) -> Any:
        """Show the run again, moment by moment; return a `Replay` with its slider."""
        from ampynb.widgets.replay import replay

        self._need_draws()
        return replay(self, parameters)

    def trace(self, parameters: Any = None) -> NotebookFigure:
        """Draw the chains, burn-in shaded, and the distributions beside them."""
        from ampynb.plots.trace import trace

        return trace(self, parameters)

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
        from ampynb.plots.posterior_fit import posterior_fit

        return posterior_fit(self, n, mass)

    def __repr__(self) -> str:
        return as_text(self)

    _repr_html_ = as_html


def result_class(analysis: Analysis) -> type[Result]:
    """Return the class of an analysis' results: its own, or `Result`.

    Raises
    ------
    TypeError
        Where the analysis names a class that is no subclass of `Result`.
    """
    own: Any = analysis.Result
    if own is None:
        return Result
    if not (isinstance(own, type) and issubclass(own, Result)):
        raise TypeError(
            f"expected {type(analysis).__qualname__}.Result to be a subclass of "
            f"ampynb.Result; got {own!r}; write class Own(ampynb.Result)"
        )
    return own
