"""The posterior: all that an algorithm sees of a model and an analysis."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ampynb.analysis.analysis import Analysis, _bundle_analysis
from ampynb.analysis.program import ChangedError, posterior_content, posterior_key
from ampynb.analysis.rejections import Evaluation, evaluation_of
from ampynb.model.arrays import Bundle
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.model.reading import traced_apart

__all__ = ["Posterior"]


@jax.tree_util.register_pytree_node_class
class Posterior:
    """Log densities of a model and an analysis, each for one point.

    With a JAX analysis every method is pure JAX: compile, batch and differentiate it
    at will, or hand it to a sampler of your own. As an argument of a compiled
    function a posterior is a pytree, so that new data or moved priors of the same
    shape do not compile again. What else the likelihood reads, such as globals and
    class attributes, is part of the key of what is compiled, by content.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection

    Attributes
    ----------
    program : str or None
        A key of what the likelihood, the fit and the latent variables were when the
        posterior was `read`; None for what they are whenever it is used.
    """

    _note: Callable[[Any, Any], None] | None = None
    program: str | None = None
    _is_checked = False  # of what a function that is compiled is given

    def __init__(self, analysis: Analysis, model: Model | Collection):
        if not isinstance(analysis, Analysis):
            raise TypeError(
                f"expected an ampynb.Analysis; got {type(analysis).__qualname__}; "
                "subclass ampynb.Analysis and write fit_from(self, instance)"
            )
        analysis.check_initialised()
        self.analysis = analysis
        self.model = Model.of(model).as_now()

    @classmethod
    def of(cls, analysis: Any, model: Model | Collection | None) -> Posterior:
        """Return the posterior of an analysis and a model, or one that has both.

        Raises
        ------
        TypeError
            Where the model is missing, or one is there already.
        """
        if isinstance(analysis, Posterior):
            if model is not None:
                raise TypeError(
                    "expected no model beside an analysis that has one, from "
                    "with_model(...); got another; leave it out"
                )
            return analysis
        if model is None:
            raise TypeError(
                "expected a model beside the analysis; got none; give both, or "
                "analysis.with_model(model)"
            )
        return cls(analysis, model)

    # What the user's code is

    def read(self) -> Posterior:
        """Return the posterior of what the user's code is now.

        From then on nothing is compiled that differs: a run goes on with what it has
        begun, and ends with an error where it cannot.
        """
        other = copy.copy(self)
        other.model = self.model.as_now()
        if not self.analysis.use_jax:
            return other
        other.program = posterior_key(other, _bundle_analysis(self.analysis))
        return other

    def trace(self, function: Callable, vector: Any) -> None:
        """Trace ``function(posterior, vector)``, as a run does: data are arguments."""
        bundle = _bundle_analysis(self.analysis)
        content = posterior_content(self, bundle)

        def of_arrays(bundle: Bundle, model: Model, vector: Any) -> Any:
            posterior = Posterior.tree_unflatten(None, (bundle, model))
            posterior._is_checked = True
            return function(posterior, vector)

        with traced_apart(content.digest if content.whole else object()):
            jax.eval_shape(of_arrays, bundle, self.model, vector)

    def check_unchanged(self) -> None:
        """Raise `ChangedError` where the user's code is not what it was when read."""
        self.current_program()

    @contextmanager
    def as_read(self) -> Iterator[None]:
        """Call the user's code within, in a compiled function or not.

        Raises
        ------
        ChangedError
            Where it is not what it was when the posterior was read.
        """
        if not self.analysis.use_jax:
            yield
            return
        with traced_apart(self.current_program()):
            yield

    def current_program(self) -> str | None:
        """Return a key of what the user's code is now; None for a NumPy analysis.

        Raises
        ------
        ChangedError
            Where it is not what it was when the posterior was read.
        """
        if not self.analysis.use_jax:
            return None
        if self._is_checked or jax.sharding.get_abstract_mesh().axis_names:
            return self.program
        bundle = _bundle_analysis(self.analysis)
        program = posterior_key(self, bundle, afresh=False)
        if self.program not in (None, program):
            raise ChangedError(type(self.analysis).__qualname__)
        self._is_checked = _is_traced(bundle)
        return program

    # Densities

    def log_prior(self, vector: Any) -> Any:
        """Return the log prior density; -inf outside the support."""
        if not self.model.prior_classes:
            return self.model.log_prior(vector)
        with self.as_read():
            return self.model.log_prior(vector)

    def log_likelihood(self, vector: Any, inside: Any = True) -> Any:
        """Return the log likelihood; -inf where it is not finite.

        It is -inf too where a NumPy likelihood raises one of `REJECTING`, and where an
        assertion of the model does not hold, and in NumPy not called there. So whatever
        samples the unit cube finds the evidence of the priors as they are, cut and not
        normalised again; divided by `Model.allowed_fraction` it is that of the
        normalised prior.

        Parameters
        ----------
        vector : array, (ndim,) [model units]
        inside : bool
            Whether the point counts; with JAX it is computed in any case, and is -inf
            where it does not.
        """
        if not self.analysis.use_jax:
            return self.evaluate(vector).value if inside else -np.inf
        value = self.raw_log_likelihood(vector)
        if self.model.assertions:
            inside = inside & self.model.allows(vector)
        if self._note is not None:
            self._note(value, inside)
        return jnp.where(jnp.isfinite(value) & inside, value, -jnp.inf)

    def evaluate(self, vector: Any) -> Evaluation:
        """Return a NumPy log likelihood, and why it is -inf where it was rejected."""
        if self.model.assertions and not self.model.allows(vector):
            return Evaluation(-np.inf)
        return evaluation_of(self.raw_log_likelihood, vector)

    def noting(self, note: Callable[[Any, Any], None]) -> Posterior:
        """Return this posterior, with each JAX likelihood noted as it is computed.

        Parameters
        ----------
        note : callable
            Of the log likelihood as the analysis returns it, and whether it counts.
        """
        posterior = copy.copy(self)
        posterior._note = note
        return posterior

    def raw_log_likelihood(self, vector: Any) -> Any:
        """Return what the user's likelihood returns, NaN included."""
        with self.as_read():
            instance = self.model.instance_from_vector(vector)
            return self.analysis.log_likelihood_function(instance)

    def least_squares(self, vector: Any) -> tuple[Any, Any] | None:
        """Return the residuals of the fit, (n,), and the rest of its log likelihood.

        The log likelihood is the rest less half the sum of the squared residuals. None
        where the fit has no ``least_squares``, as `GaussianFit` has. It is for
        optimisers, which check it: a log likelihood of the user's own may differ.
        """
        if not self.analysis.has_fit:
            return None
        with self.as_read():
            fit = self.analysis.fit_from(self.model.instance_from_vector(vector))
            parts = getattr(fit, "least_squares", None)
        if parts is None:
            return None
        xp = jnp if self.analysis.use_jax else np
        residuals = [xp.ravel(each) for each in jax.tree_util.tree_leaves(parts[0])]
        return xp.concatenate(residuals), parts[1]

    def log_posterior(self, vector: Any) -> Any:
        """Return log prior plus log likelihood; -inf outside the prior's support."""
        return sum(self.log_densities(vector))

    def log_densities(self, vector: Any) -> tuple[Any, Any]:
        """Return log prior and log likelihood; both are -inf outside the support."""
        log_prior = self.log_prior(vector)
        if self.analysis.use_jax:
            inside = jnp.isfinite(log_prior)
            return log_prior, self.log_likelihood(vector, inside)
        if not np.isfinite(log_prior):
            return -np.inf, -np.inf
        return float(log_prior), self.log_likelihood(vector)

    def log_density(self, z: jax.Array) -> jax.Array:
        """Return the log posterior density over unconstrained ``z``, Jacobian in."""
        vector = self.model.constrain(z)
        return self.log_posterior(vector) + self.model.log_jacobian(z)

    def log_likelihood_cube(self, u: Any) -> Any:
        """Return the log likelihood at a point of the unit cube."""
        return self.log_likelihood(self.model.prior_transform(u))

    # The pytree

    def tree_flatten(self) -> tuple[tuple, str | None]:
        """Return the analysis' arrays and the model as children, the key beside."""
        analysis = self.analysis
        if not isinstance(analysis, Analysis):  # JAX may put anything in its place
            return (analysis, self.model), self.program
        bundle, program = _bundle_analysis(analysis), self.program
        if program is None and analysis.use_jax and not _is_traced(bundle, self.model):
            program = posterior_key(self, bundle, afresh=False)
        return (bundle, self.model), program

    @classmethod
    def tree_unflatten(cls, program: str | None, children: tuple) -> Posterior:
        """Rebuild a posterior inside compiled code."""
        posterior = object.__new__(cls)
        analysis, posterior.model = children
        is_bundle = hasattr(analysis, "value")
        posterior.analysis = analysis.value() if is_bundle else analysis
        posterior.program = program
        return posterior

    def __repr__(self) -> str:
        return f"Posterior({self.analysis!r}, {self.model.ndim} free parameters)"


def _is_traced(*values: Any) -> bool:
    leaves = jax.tree_util.tree_leaves(values)
    return any(isinstance(leaf, Tracer) for leaf in leaves)
