"""The user's side of a fit: data and one forward evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np

from ampynb.analysis.hooks import Hooks
from ampynb.analysis.panel import Panel
from ampynb.analysis.visualization import compiled_fit, compiled_fits, program_of_fit
from ampynb.model.arrays import Bundle, Leaves, is_array, split_object
from ampynb.model.options import names_options
from ampynb.model.reading import traced_apart
from ampynb.model.units import with_unit

if TYPE_CHECKING:
    from ampynb.analysis.latent import Latent, LatentSamples
    from ampynb.model.model import Model

__all__ = ["Analysis"]


class Analysis(Hooks):
    """Data and a likelihood for one point of parameter space.

    Subclass it, keep the data as attributes, and write `fit_from`, which returns the
    fit of one instance; or write `log_likelihood_function` alone. The library does
    the batching, compiling and sampling. Numeric arrays among the attributes are
    arguments of every compiled program, so changed data are seen at the next call.

    Parameters
    ----------
    use_jax : bool
        Whether the forward evaluation is written in JAX. With False it is ordinary
        NumPy, and samplers that need gradients refuse it.
    use_jax_for_visualization : bool, optional
        Whether `fit_for_visualization` is compiled; None follows ``use_jax``.

    Attributes
    ----------
    LATENT_KEYS : sequence of str, or dict of str to Latent
        Names of the latent variables, in the order of tables; dots nest them. As a
        dictionary it gives their units and labels too.
    Result : type, optional
        A subclass of `ampynb.Result` that runs of this analysis return.
    Visualizer : type, optional
        `ampynb.Visualizer`, which draws the fit, or a subclass of it.

    Notes
    -----
    A fit calls the optional methods, its hooks, in the same order for every
    algorithm:

    1. `modify_model`, then `modify_before_fit`. What they return is fitted, checked,
       and compared with a run that is to be continued. The folder may not be there yet.
    2. `save_attributes`, then ``Visualizer.visualize_before_fit``.
    3. `perform_quick_update`, then ``Visualizer.visualize`` with ``during_analysis``:
       at the best point so far, whenever there is a better one, every few seconds.
    4. `make_result`; `perform_quick_update`, if the last was of a lesser point;
       ``Visualizer.visualize`` without ``during_analysis``; `save_results`;
       `save_results_combined`; `modify_after_fit`.

    An error in the first two ends the fit before it begins. An error in any other
    appears in the log, the run's ``status`` and the result's ``warnings``: no draw is
    lost, and the run goes on. A run that fails calls no more hooks, a stopped one
    does; one that is only read again calls `modify_model`, `modify_before_fit` and
    `make_result`. Of several processes, the first alone saves and draws.

    Examples
    --------
    >>> class Line(Analysis):
    ...     def __init__(self, x, y, yerr, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.x, self.y, self.yerr = x, y, yerr
    ...
    ...     def fit_from(self, instance):
    ...         model = instance.slope * self.x + instance.intercept
    ...         return GaussianFit(data=self.y, noise=self.yerr, model=model)
    """

    LATENT_KEYS: ClassVar[Sequence[str] | Mapping[str, Latent]] = ()
    Result: ClassVar[type | None] = None

    @names_options
    def __init__(
        self, use_jax: bool = True, use_jax_for_visualization: bool | None = None
    ):
        if use_jax_for_visualization and not use_jax:
            raise ValueError(
                "expected use_jax_for_visualization=False or None with use_jax=False; "
                "got True; a NumPy forward evaluation cannot be compiled"
            )
        self.use_jax = use_jax
        follows = use_jax_for_visualization is None
        self.use_jax_for_visualization = (
            use_jax if follows else use_jax_for_visualization
        )

    # What users write

    def fit_from(self, instance: Any) -> Any:
        """Return the fit of one instance: an object with ``log_likelihood``."""
        raise TypeError(
            f"expected {type(self).__qualname__} to have fit_from(self, instance); got "
            "none; return for instance ampynb.GaussianFit(data=..., noise=..., "
            "model=...) from it"
        )

    def log_likelihood_function(self, instance: Any) -> Any:
        """Return the log likelihood of one instance, a scalar."""
        fit = self.fit_from(instance)
        try:
            return fit.log_likelihood
        except AttributeError:
            if hasattr(type(fit), "log_likelihood"):
                raise  # from within the fit's own property
        raise TypeError(
            "expected a fit from fit_from, an object with log_likelihood; got "
            f"{_told(fit)}; return for instance ampynb.GaussianFit(data=..., "
            "noise=..., model=...), or call the method log_likelihood_function, which "
            "returns a number"
        )

    def panel(self) -> Any:
        """Return how the fit is drawn, a `Panel`; by default against ``self.x``."""
        x = getattr(self, "x", None)
        if x is None:
            return Panel(xlabel="index", ylabel="data")
        _, unit = with_unit(x)
        return Panel(x=x, xlabel=f"x [{unit}]" if unit else "x", ylabel="data")

    def with_data(self, data: Any, observed: Any) -> Analysis:
        """Return a copy of the analysis that has other data.

        By default the array attribute that is ``observed``, or else the one that
        equals it, is replaced, wherever it hangs. Write it where more depends on the
        data than that: ``return Line(self.x, data, self.yerr)``.

        Parameters
        ----------
        data : array, or pytree of arrays
            The new data, of the shape of ``observed``.
        observed : array, or pytree of arrays
            What `fit_from` gives its fit as ``data``.

        Raises
        ------
        ValueError
            Where no attribute, or more than one, equals ``observed``.
        """
        bundle = _bundle_analysis(self)
        news, olds = map(jax.tree_util.tree_leaves, (data, observed))
        for new, old in zip(news, olds, strict=True):
            for place in self._places_of(old, bundle.leaves):
                bundle.leaves[place] = new
        return bundle.value()

    def _places_of(self, observed: Any, leaves: list) -> list[int]:
        """Return where an array is among those of the analysis."""
        same = [i for i, leaf in enumerate(leaves) if leaf is observed]
        if same:
            return same
        equal = [i for i, leaf in enumerate(leaves) if _are_equal(leaf, observed)]
        if len(equal) == 1:
            return equal
        raise ValueError(
            f"expected one array among the attributes of {type(self).__qualname__} "
            f"that is the data of its fit; got {len(equal) or 'none'}; keep the data "
            "as one attribute, or write with_data(self, data, observed), which returns "
            "an analysis of other data"
        )

    def compute_latent_variables(self, parameters: Any, model: Model) -> Any:
        """Return the latent variables of one point: what follows from the parameters.

        Write it for one point, in JAX where the likelihood is. A value that is not
        defined at a point is NaN there, which leaves the others as they are.

        Parameters
        ----------
        parameters : array, (ndim,) [model units]
        model : Model
            ``model.instance_from_vector(parameters)`` is the point's instance.

        Returns
        -------
        dict of str to number or array, or a tuple in the order of ``LATENT_KEYS``
            Of a dictionary ``LATENT_KEYS``, where given, chooses.
        """
        raise NotImplementedError("this analysis has no latent variables")

    # What the library calls

    @property
    def has_latents(self) -> bool:
        """Whether the analysis computes latent variables."""
        kind = type(self)
        return kind.compute_latent_variables is not Analysis.compute_latent_variables

    def compute_latent_samples(
        self, samples: Any, batch_size: int | None = None
    ) -> LatentSamples | None:
        """Return the latent variables of all draws, or None where there are none.

        Parameters
        ----------
        samples : Result
            Or anything else with a ``model`` and its ``draws``, (n_draws, nwalkers,
            ndim) [model units].
        batch_size : int, optional
            Draws that are computed at once in JAX; it bounds the memory and plays no
            part in the values.

        Raises
        ------
        LatentError
            Where they cannot be computed, or are not those of ``LATENT_KEYS``.
        """
        from ampynb.analysis.latent_samples import latent_samples
        from ampynb.analysis.posterior import Posterior

        posterior = Posterior(self, samples.model)
        return latent_samples(posterior, samples.draws, batch_size)

    @property
    def has_fit(self) -> bool:
        """Whether the analysis has a forward evaluation that can be drawn."""
        return type(self).fit_from is not Analysis.fit_from

    def check_initialised(self) -> None:
        """Raise where a subclass's ``__init__`` forgot to call this class's."""
        if "use_jax" not in vars(self):
            raise TypeError(
                f"expected {type(self).__qualname__}.__init__ to call "
                "super().__init__(**kwargs); got none; add the call"
            )

    def fit_for_visualization(self, instance: Any) -> Any:
        """Return the fit of one instance, its arrays as NumPy arrays.

        Every picture goes through here. With ``use_jax_for_visualization`` it is
        compiled once, whatever the type of the instance's numbers; without, it is
        `fit_from` itself.
        """
        self.check_initialised()
        if not self.use_jax_for_visualization:
            with traced_apart(self.fit_program(instance)):
                return self.fit_from(instance)
        return compiled_fit(_bundle_analysis(self), instance)

    def fit_program(self, instance: Any) -> str | None:
        """Return a key of what `fit_from` computes now; None for a NumPy analysis."""
        if not self.use_jax:
            return None
        return program_of_fit(_bundle_analysis(self), instance)

    def fits_for_visualization(self, instances: Any) -> Any:
        """Return the fits of a batch of instances, as one fit with a leading axis.

        Parameters
        ----------
        instances : instance
            Every leaf has a leading axis of length n.
        """
        self.check_initialised()
        if not self.use_jax_for_visualization:
            leaves, structure = jax.tree_util.tree_flatten(instances)
            points = zip(*(np.asarray(leaf) for leaf in leaves), strict=True)
            each = (structure.unflatten(point) for point in points)
            fits = [
                Bundle(self.fit_for_visualization(one), numbers=True) for one in each
            ]
            return jax.tree_util.tree_map(lambda *each: np.stack(each), *fits).value()
        return compiled_fits(_bundle_analysis(self), instances)

    def __repr__(self) -> str:
        data = (
            f"{name}: {'x'.join(map(str, np.shape(value))) or 'scalar'}"
            for name, value in vars(self).items()
            if is_array(value)
        )
        kind = "JAX" if self.use_jax else "NumPy"
        return f"{type(self).__name__}({', '.join(data)}; {kind})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def _told(value: Any) -> str:
    """Return what came in place of a fit, in words."""
    if value is None:
        return "None, as from a function without return"
    if is_array(value) or isinstance(value, int | float | complex):
        return f"a number or an array, of shape {np.shape(value)}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _are_equal(leaf: Any, observed: Any) -> bool:
    observed = np.asarray(observed)
    # In the precision of a fit that has been through JAX.
    leaf = np.asarray(leaf).astype(observed.dtype)
    return np.array_equal(leaf, observed, equal_nan=observed.dtype.kind in "fc")


def _bundle_analysis(analysis: Analysis) -> Bundle:
    """Return the analysis as a pytree: arrays as leaves, all else as structure."""
    leaves = Leaves()
    skeleton = split_object(analysis, leaves, lambda _: False, (id(analysis),))
    return Bundle.tree_unflatten(skeleton, leaves)
