"""What a posterior and a fit compute now, as a key of what is compiled of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from ampynb.model.arrays import Bundle, constants_in, parts_of
from ampynb.model.content import Content, content_of, is_installed
from ampynb.model.prior_numbers import PRIOR_METHODS
from ampynb.model.reading import program_key

if TYPE_CHECKING:
    from ampynb.analysis.posterior import Posterior

__all__ = ["ChangedError", "fit_key", "posterior_key"]

# What compiled programs ask analyses and fits for.
_HOOKS = (
    "fit_from", "log_likelihood_function", "compute_latent_variables", "shared_from",
    "instance_of", "has_fit", "LATENT_KEYS",
)  # fmt: skip
_OF_FIT = (
    "log_likelihood",
    "pointwise_log_likelihood",
    "chi_squared",
    "residuals",
    "least_squares",
)


class ChangedError(ValueError):
    """What a likelihood reads is not what it was."""

    def __init__(self, kind: str):
        super().__init__(
            f"expected all that {kind} reads as it was when the run began; got other "
            "data, or another global, class attribute, function, table or object; run "
            "again, or undo the change"
        )


def posterior_key(posterior: Posterior, bundle: Bundle, afresh: bool = True) -> str:
    """Return a key of what a posterior's likelihood, fit and latent variables are now.

    Parameters
    ----------
    posterior : Posterior
        Of an analysis in JAX.
    bundle : Bundle
        Of the analysis.
    afresh : bool
        See `program_key`.
    """
    analysis, model = posterior.analysis, posterior.model
    functions = []
    likelihood = type(analysis).log_likelihood_function
    if not (analysis.has_fit and is_installed(likelihood.__module__)):
        functions.append(_log_likelihood)  # or it is that of the fit
    functions += [_fit] if analysis.has_fit else []
    functions.append(_latents)
    functions += [_log_prior] if model.prior_classes else []
    vector = jax.ShapeDtypeStruct((model.ndim,), jnp.result_type(float))
    content = posterior_content(posterior, bundle)
    return program_key(
        functions, (bundle, model, vector, _random_key()), content, afresh
    )


def posterior_content(posterior: Posterior, bundle: Bundle) -> Content:
    """Return the content of all that a posterior's functions may read."""
    model = posterior.model
    components = (node.component for _, node in model._structure.tree.nodes())
    return _content(bundle.skeleton, *components, *model.prior_classes)


def fit_key(analysis: Bundle, instance: Bundle) -> str:
    """Return a key of what the fit of an instance is now."""

    def fit(analysis: Bundle, instance: Bundle) -> tuple:
        return _taken_apart(analysis.value().fit_from(instance.value()), None)

    content = _content(analysis.skeleton, *parts_of(instance.skeleton))
    return program_key([fit], (analysis, instance), content, afresh=False)


@functools.cache
def _random_key() -> jax.ShapeDtypeStruct:
    return jax.eval_shape(jax.random.key, 0)


def _content(skeleton: Any, *others: Any) -> Content:
    names = (*_HOOKS, *_OF_FIT, "predict", *PRIOR_METHODS)
    return content_of(*parts_of(skeleton), *others, names=names)


def _log_likelihood(analysis: Bundle, model: Any, vector: Any, key: Any) -> tuple:
    instance = model.instance_from_vector(vector)
    return analysis.value().log_likelihood_function(instance), None


def _log_prior(analysis: Bundle, model: Any, vector: Any, key: Any) -> tuple:
    return model.log_prior(vector), None


def _fit(analysis: Bundle, model: Any, vector: Any, key: Any) -> tuple:
    fit = analysis.value().fit_from(model.instance_from_vector(vector))
    return _taken_apart(fit, key)


def _latents(analysis: Bundle, model: Any, vector: Any, key: Any) -> tuple:
    values = Bundle(list(_latents_of(analysis.value(), model, vector)), True)
    return values.leaves, list(constants_in(values.skeleton))


def _latents_of(analysis: Any, model: Any, vector: Any) -> Iterator[Any]:
    if analysis.has_latents:
        yield analysis.compute_latent_variables(vector, model)
    if hasattr(analysis, "member_models"):  # a joint one
        for _, member, seen in analysis.member_models(model):
            yield from _latents_of(member, seen, vector)


def _taken_apart(fit: Any, key: Any) -> tuple:
    """Return the arrays of a fit and of what it computes, and the constants in it."""
    bundle = Bundle(fit, numbers=True)
    constants = [type(fit).__qualname__, *constants_in(bundle.skeleton)]
    return [bundle.leaves, *_computed(fit, key)], constants


def _computed(fit: Any, key: Any) -> Iterator[Any]:
    """Yield what a class of fits of the user's own computes."""
    if is_installed(type(fit).__module__):
        return  # which is all in its arrays
    for name in _OF_FIT:
        if hasattr(fit, name):
            yield getattr(fit, name)
    predict: Callable | None = getattr(fit, "predict", None)
    if key is not None and predict is not None:
        yield predict(key)
