"""`fit_from` compiled for pictures: once for all analyses of one structure."""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.program import ChangedError, fit_key
from ampynb.model.arrays import Bundle, constants_in, join
from ampynb.model.reading import traced_apart
from ampynb.model.traced import is_traced_in

if TYPE_CHECKING:
    from ampynb.analysis.posterior import Posterior

__all__ = [
    "compile_ahead",
    "compiled_fit",
    "compiled_fits",
    "each_fit",
    "program_of_fit",
]

logger = logging.getLogger("ampynb")


def compiled_fit(analysis: Bundle, instance: Any) -> Any:
    """Return the fit of one instance, its arrays as NumPy arrays.

    Raises
    ------
    TypeError
        For a fit of a class that cannot be taken apart into arrays.
    """
    taken = _taken(instance)
    fit = _fit(analysis, taken, program=fit_key(analysis, taken))
    return jax.device_get(fit).value()


def compiled_fits(analysis: Bundle, instances: Any) -> Any:
    """Return the fits of a batch of instances, as one fit with a leading axis."""
    taken = _taken(instances)
    one = jax.tree_util.tree_map(lambda leaf: leaf[0], taken)
    fits = _fits(analysis, taken, program=fit_key(analysis, one))
    return jax.device_get(fits).value()


def each_fit(fits: Any) -> list:
    """Return the fits of a batch one by one; what is no array is the same in all."""
    bundle = Bundle(fits)
    rows = zip(*bundle.leaves, strict=True)
    return [join(bundle.skeleton, leaves) for leaves in rows]


def program_of_fit(analysis: Bundle, instance: Any) -> str:
    """Return a key of what the fit of an instance is now."""
    return fit_key(analysis, _taken(instance))


def _taken(instance: Any) -> Bundle:
    return Bundle(_as_arrays(instance), numbers=True)


def compile_ahead(posterior: Posterior) -> threading.Thread | None:
    """Compile what pictures need in a thread of its own, so that the first comes soon.

    A picture that is asked for meanwhile waits for it: JAX compiles a program once,
    however many threads want it.

    Returns
    -------
    Thread, optional
        None where there is nothing to compile.
    """
    analysis = posterior.analysis
    if not (analysis.has_fit and analysis.use_jax_for_visualization):
        return None

    def compile_once() -> None:
        try:
            instance = posterior.model.instance_from_prior_medians()
            analysis.fit_for_visualization(instance)
        except Exception as error:  # the first picture meets it too, and tells it
            logger.debug("no fit for pictures: %s", error)

    thread = threading.Thread(target=compile_once, name="ampynb-pictures", daemon=True)
    thread.start()
    return thread


def _as_arrays(instance: Any) -> Any:
    """Return the instance with every number as a strongly typed array of floats.

    Arrays of integers and of truths, which are indices and masks, stay as they are.
    """

    def typed(leaf: Any) -> Any:
        array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
        is_index = array.ndim > 0 and array.dtype.kind in "iub"
        return array if is_index else array.astype(jnp.result_type(float))

    return jax.tree_util.tree_map(typed, instance)


@functools.partial(jax.jit, static_argnames="program")
def _fit(analysis: Bundle, instance: Bundle, program: str) -> Bundle:
    if fit_key(analysis, instance) != program:
        raise ChangedError(_kind(analysis))
    with traced_apart(program):
        fit = Bundle(analysis.value().fit_from(instance.value()))
    for value in constants_in(fit.skeleton):
        if is_traced_in(value):
            name = type(value).__qualname__
            raise TypeError(
                "expected a fit that can be taken apart into arrays; got one that has "
                f"them in a {name}, of which it is not known how; decorate the class "
                f"{name} with @ampynb.register_fit, or construct the analysis with "
                "use_jax_for_visualization=False"
            )
    return fit


@functools.partial(jax.jit, static_argnames="program")
def _fits(analysis: Bundle, instances: Bundle, program: str) -> Bundle:
    one = functools.partial(_fit, program=program)
    return jax.vmap(one, in_axes=(None, 0))(analysis, instances)


def _kind(analysis: Bundle) -> str:
    return type(analysis.value()).__qualname__
