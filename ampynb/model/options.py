"""Misspelt options: what is meant, said in one way wherever options are taken."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

__all__ = ["checked_count", "meant", "names_options", "unknown_options"]

_ANY = TypeVar("_ANY", bound=Callable)
# What other packages call it, by the names that are used here.
_SYNONYMS = {
    "burn": "burnin burn_in discard tune warmup n_warmup num_warmup nburn n_burn",
    "data": "y observed observations counts",
    "degrees_of_freedom": "dof df nu ndof",
    "ensemble": "emcee zeus stretch mcmc",
    "iterations": "n_steps nsteps num_steps steps n_iter niter maxiter draws n_draws "
    "samples n_samples num_samples nsamples",
    "label": "latex tex",
    "model": "prediction predicted expected mu",
    "nested": "dynesty multinest ultranest nested_sampling",
    "noise": "error errors err yerr sigma std sd",
    "nwalkers": "walkers n_walkers chains n_chains num_chains nchains nlive n_live "
    "live_points",
    "path": "folder directory output name",
    "prior": "distribution dist value",
    "progress": "progress_bar verbose progressbar",
    "run_kw": "thin thin_by iterations_per_quick_update",
    "sampler": "method algorithm kernel",
    "start": "init initial initial_state x0 pos p0 init_params",
    "target_accept": "target_accept_prob target_acceptance adapt_delta",
    "workers": "cores n_cores pool processes threads nthreads n_jobs",
}
_MEANT = {name: known for known, names in _SYNONYMS.items() for name in names.split()}
_ELSEWHERE = {
    "shape": "give the prior the shape, as in dist.Normal(0, 1).expand([3])",
    "seed": "give it to ampynb.InferenceEngine(analysis, model, seed=1)",
    "thin": "write run_kw={'thin_by': 10}",
}
_NOWHERE: Mapping[str, str] = MappingProxyType({})


def meant(
    name: str, known: Collection[str], elsewhere: Mapping[str, str] = _NOWHERE
) -> str:
    """Return the question which of the known names is meant; empty where none is.

    Parameters
    ----------
    elsewhere : dict of str to str
        What to do with a name that belongs to something else.
    """
    name = str(name)
    synonym = _MEANT.get(name.lower())
    if synonym in known:
        return f"did you mean {synonym!r}?"
    if name in elsewhere:
        return elsewhere[name]
    near = difflib.get_close_matches(name, list(known), n=1)
    near = near or difflib.get_close_matches(name.lower(), list(known), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return elsewhere.get(synonym or "", "")


def unknown_options(
    what: str,
    unknown: Collection[str],
    known: Collection[str],
    otherwise: str,
    elsewhere: Mapping[str, str] = _NOWHERE,
) -> str:
    """Return the message for options that do not exist, with those that are meant."""
    of_others = {**_ELSEWHERE, **elsewhere}
    found = (meant(name, known, of_others) for name in unknown)
    hints = dict.fromkeys(filter(None, found))
    return (
        f"expected options of {what} ({', '.join(known)}); got "
        f"{', '.join(unknown)}; {' '.join(hints) or otherwise}"
    )


def checked_count(name: str, count: Any, least: int, usual: int) -> int:
    """Return a count as Python's own integer, or raise in words.

    Parameters
    ----------
    name : str
        What users call it.
    least : int
        The smallest that makes sense.
    usual : int
        What the error suggests.
    """
    is_count = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not is_count or count < least:
        raise ValueError(
            f"expected {name} as a whole number of at least {least}; got {count!r}; "
            f"give for instance {name}={usual}"
        )
    return int(count)


def names_options(taking: _ANY, elsewhere: Mapping[str, str] = _NOWHERE) -> _ANY:
    """Let a class or a function say what is meant by an option that it has not.

    Parameters
    ----------
    elsewhere : dict of str to str
        What to do with an option that is one of something else.
    """
    given: Any = taking
    called = taking.__init__ if isinstance(taking, type) else taking
    # A method's own name for itself is none of the options.
    known = [
        name
        for name, parameter in inspect.signature(called).parameters.items()
        if name != "self" and parameter.kind is not parameter.POSITIONAL_ONLY
    ]

    parameters = inspect.signature(called).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return given  # which passes on what it does not know

    @functools.wraps(called)
    def checked(*args: Any, **options: Any) -> Any:
        if not options.keys() <= allowed:
            unknown = [name for name in options if name not in allowed]
            what = taking.__qualname__.removesuffix(".__init__")
            raise TypeError(
                unknown_options(what, unknown, known, "leave it out", elsewhere)
            )
        return called(*args, **options)

    allowed = frozenset(known)
    if isinstance(taking, type):
        taking.__init__ = checked
        return given
    return checked  # pyright: ignore[reportReturnType]
