"""Several analyses fitted together: their log likelihoods add up."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.fit import check_noise
from ampynb.model.instance import Instance

if TYPE_CHECKING:
    from ampynb.model.model import Model

__all__ = [
    "JointAnalysis",
    "JointFit",
    "MemberModel",
    "analyses_in",
    "check_noises",
    "fits_in",
]

_NOTHING = object()


@dataclass(frozen=True, eq=False, repr=False)
class JointFit:
    """The fits of several analyses at one instance: ``fit["radio"]``.

    Attributes
    ----------
    fits : dict of str to object
        Those of the analyses that have a forward evaluation, by name.
    log_likelihoods : dict of str to float
        Of each analysis.
    """

    fits: dict[str, Any]
    log_likelihoods: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the fit of one analysis."""
        return self.fits[name]

    @property
    def log_likelihood(self) -> Any:
        """Sum of `log_likelihoods`."""
        return sum(self.log_likelihoods.values())

    @property
    def chi_squared(self) -> Any:
        """Sum of the fits' chi squared, of those that have one."""
        fits = self.fits.values()
        return sum(fit.chi_squared for fit in fits if hasattr(fit, "chi_squared"))

    @property
    def least_squares(self) -> tuple[dict[str, Any], Any] | None:
        """Residuals of each fit that has them, and the rest of the log likelihood.

        None where no fit has any; see `GaussianFit.least_squares`.
        """
        each = {n: getattr(fit, "least_squares", None) for n, fit in self.fits.items()}
        found = {name: parts for name, parts in each.items() if parts is not None}
        if not found:
            return None
        values = self.log_likelihoods.items()
        others = sum(value for name, value in values if name not in found)
        residuals = {name: parts[0] for name, parts in found.items()}
        return residuals, others + sum(parts[1] for parts in found.values())

    @property
    def data(self) -> dict[str, Any]:
        """The data of each fit that has any, by name."""
        fits = self.fits.items()
        return {name: fit.data for name, fit in fits if hasattr(fit, "data")}

    def predict(self, key: jax.Array) -> dict[str, Any]:
        """Draw new data for each fit that has any, by name.

        Raises
        ------
        TypeError
            Where one cannot predict.
        """
        unable = [name for name in self.data if not hasattr(self.fits[name], "predict")]
        if unable:
            raise TypeError(
                "expected fits that all have predict(key), which simulates data; got "
                f"{', '.join(unable)} without; return for instance ampynb.GaussianFit "
                "from fit_from of each analysis"
            )
        keys = jax.random.split(key, max(len(self.data), 1))
        pairs = zip(self.data, keys, strict=False)
        return {name: self.fits[name].predict(one) for name, one in pairs}

    def __repr__(self) -> str:
        fits = (f"{name}: {fit!r}" for name, fit in self.fits.items())
        return f"JointFit({', '.join(fits)})"


def fits_in(fit: Any) -> dict[str, Any]:
    """Return the fits in a joint one, with dotted names; any other as ``"data"``."""
    return _flat(fit, JointFit, "fits") if isinstance(fit, JointFit) else {"data": fit}


def check_noises(fit: Any) -> None:
    """Raise where the noise of a datum that is used is not positive, in any fit."""
    for name, one in fits_in(fit).items():
        if hasattr(one, "data"):
            check_noise(one, "noise" if name == "data" else f"the noise of {name!r}")


def analyses_in(analysis: Analysis) -> dict[str, Analysis]:
    """Return the analyses in a joint one by the names of `fits_in`."""
    if not isinstance(analysis, JointAnalysis):
        return {"data": analysis}
    return _flat(analysis, JointAnalysis, "analyses")


def _flat(joint: Any, kind: type, attribute: str) -> dict[str, Any]:
    found = {}
    for name, member in getattr(joint, attribute).items():
        if isinstance(member, kind):
            below = _flat(member, kind, attribute)
            found |= {f"{name}.{inner}": one for inner, one in below.items()}
        else:
            found[name] = member
    return found


class JointAnalysis(Analysis):
    """Several analyses with parameters of their own and in common.

    Each analysis is written for its own data, and need not know of the others. It is
    given the parameters at the top of the model, which all share, and those of the
    component that has its name, as if these were at the top too. Parameters that
    only some share are tied: ``model.tie({"xray.slope": "radio.slope"})``; those of a
    population have a prior that depends on shared ones.

    Parameters
    ----------
    *analyses, **named_analyses : Analysis
        By name, or by position: the first has the name ``0``, as in a `Collection`.

    Raises
    ------
    TypeError
        For what is no analysis.
    ValueError
        Where some are written in JAX and some in NumPy.

    Examples
    --------
    Two lines of one slope, each with an intercept of its own:

    >>> joint = JointAnalysis(radio=Line(x, y, yerr), xray=Line(x2, y2, yerr2))
    >>> model = Model(
    ...     slope=dist.Normal(0, 10),
    ...     radio=Model(intercept=dist.Normal(0, 1)),
    ...     xray=Model(intercept=dist.Normal(0, 1)),
    ... )

    Slopes of a population:

    >>> model = Model(
    ...     mean=dist.Normal(0, 10),
    ...     spread=dist.HalfNormal(1),
    ...     radio=Model(slope=0.0, intercept=dist.Normal(0, 1)),
    ...     xray=Model(slope=0.0, intercept=dist.Normal(0, 1)),
    ... )
    >>> of_population = lambda m: dist.Normal(m.mean, m.spread)
    >>> names = ["radio.slope", "xray.slope"]
    >>> model = model.with_priors(dict.fromkeys(names, of_population))
    """

    def __init__(self, *analyses: Analysis, **named_analyses: Analysis):
        by_position = {str(i): analysis for i, analysis in enumerate(analyses)}
        members = {**by_position, **named_analyses}
        _check(members)
        together = members.values()
        super().__init__(
            use_jax=all(member.use_jax for member in together),
            use_jax_for_visualization=all(
                member.use_jax_for_visualization for member in together
            ),
        )
        self.analyses = members

    def shared_from(self, instance: Any) -> Any:
        """Return what several analyses need and is dear; written by users.

        It is computed once for each evaluation, of the whole model's instance, and
        handed as ``shared`` to each analysis whose ``fit_from`` or
        ``log_likelihood_function`` has an argument of that name.
        """
        return None

    def fit_from(self, instance: Any) -> JointFit:
        """Return the fit of each analysis, and its log likelihood."""
        shared = self.shared_from(instance)
        fits, values = {}, {}
        for name, member in self.analyses.items():
            own = self.instance_of(name, instance)
            if member.has_fit:
                fits[name] = _given(member.fit_from, own, shared)
            values[name] = _log_likelihood(member, own, shared, fits.get(name))
        return JointFit(fits, values)

    def log_likelihood_function(self, instance: Any) -> Any:
        """Return the sum of the analyses' log likelihoods."""
        shared = self.shared_from(instance)
        return sum(
            _log_likelihood(member, self.instance_of(name, instance), shared)
            for name, member in self.analyses.items()
        )

    def instance_of(self, name: str, instance: Any) -> Any:
        """Return what the analysis ``name`` is given of the model's instance.

        Raises
        ------
        ValueError
            Where a parameter of its own has the name of a shared one, or its
            component is of a class, into which shared parameters do not go.
        """
        own = getattr(instance, name, _NOTHING)
        if not isinstance(instance, Instance):
            return instance if own is _NOTHING else own
        shared = {n: v for n, v in vars(instance).items() if n not in self.analyses}
        if own is _NOTHING:
            return Instance(**shared)
        if not shared:
            return own
        if not isinstance(own, Instance):
            raise ValueError(
                f"expected parameters of the analysis {name!r} alone, as the shared "
                f"ones ({', '.join(shared)}) go among them; got the component "
                f"{type(own).__qualname__}; put the shared ones into each component "
                "and tie them"
            )
        twice = shared.keys() & vars(own).keys()
        if twice:
            raise ValueError(
                f"expected other names for the parameters of {name!r} than for the "
                f"shared ones; got both for {', '.join(sorted(twice))}; rename one"
            )
        return Instance(**shared, **vars(own))

    def member_models(self, model: Any) -> Iterator[tuple[str, Analysis, MemberModel]]:
        """Yield the name of each analysis, the analysis, and its view of a model."""
        for name, member in self.analyses.items():
            yield name, member, MemberModel(model, self, name)

    def modify_before_fit(self, paths: Path | None, model: Model) -> Any:
        """Return a joint analysis of what each one's own hook returns."""
        other = copy.copy(self)
        other.analyses = {
            name: member.modify_before_fit(paths and paths / name, model)
            for name, member in self.analyses.items()
        }
        same = all(
            other.analyses[name] is self.analyses[name] for name in other.analyses
        )
        return self if same else other

    def panel(self) -> dict[str, Any]:
        """Return how the fit of each analysis is drawn."""
        return {name: member.panel() for name, member in self.analyses.items()}

    def with_data(self, data: Any, observed: Any) -> JointAnalysis:
        """Return a copy with new data for each analysis, by name."""
        other = copy.copy(self)
        other.analyses = {
            name: member.with_data(data[name], observed[name])
            if name in data
            else member
            for name, member in self.analyses.items()
        }
        return other

    @property
    def has_fit(self) -> bool:
        """Whether an analysis has a forward evaluation that can be drawn."""
        return any(member.has_fit for member in self.analyses.values())

    def __repr__(self) -> str:
        members = (f"{name}: {member!r}" for name, member in self.analyses.items())
        return f"{type(self).__name__}({', '.join(members)})"


@dataclass(frozen=True, repr=False)
class MemberModel:
    """The model of a joint fit as one of its analyses sees it.

    The vector is that of the joint fit; the instance is what the analysis is given.

    Attributes
    ----------
    model : Model or MemberModel
    joint : JointAnalysis
    name : str
        Of the analysis.
    """

    model: Any
    joint: JointAnalysis
    name: str

    def instance_from_vector(self, vector: Any) -> Any:
        """Return the instance of the analysis at a vector, (ndim,) [model units]."""
        instance = self.model.instance_from_vector(vector)
        return self.joint.instance_of(self.name, instance)

    @property
    def ndim(self) -> int:
        """Length of the vector."""
        return self.model.ndim

    @property
    def names(self) -> list[str]:
        """Name of each element of the vector."""
        return self.model.names

    @property
    def labels(self) -> list[str]:
        """LaTeX label, or the name, of each element of the vector."""
        return self.model.labels

    @property
    def units(self) -> list[str]:
        """Unit of each element of the vector."""
        return self.model.units

    def __repr__(self) -> str:
        return f"MemberModel({self.name} of {', '.join(self.names)})"


def _check(members: Mapping[str, Any]) -> None:
    if not members:
        raise TypeError(
            "expected analyses to be fitted together; got none; write "
            "ampynb.JointAnalysis(radio=..., xray=...)"
        )
    for name, member in members.items():
        if not isinstance(member, Analysis):
            raise TypeError(
                f"expected an ampynb.Analysis for {name!r}; got "
                f"{type(member).__qualname__}; subclass ampynb.Analysis and write "
                "fit_from(self, instance)"
            )
        member.check_initialised()
    in_jax = [name for name, member in members.items() if member.use_jax]
    in_numpy = [name for name in members if name not in in_jax]
    if in_jax and in_numpy:
        raise ValueError(
            "expected analyses that are all written in JAX, or all in NumPy; got "
            f"{', '.join(in_jax)} in JAX and {', '.join(in_numpy)} in NumPy; "
            "construct all with use_jax=False, or write all in JAX"
        )


def _given(function: Callable, instance: Any, shared: Any) -> Any:
    """Call a hook of an analysis, with what is shared if it takes that."""
    if _takes_shared(getattr(function, "__func__", function)):
        return function(instance, shared=shared)
    return function(instance)


@functools.lru_cache(maxsize=256)
def _takes_shared(function: Callable) -> bool:
    return "shared" in inspect.signature(function).parameters


def _log_likelihood(
    member: Analysis, instance: Any, shared: Any, fit: Any = None
) -> Any:
    """Return one analysis's log likelihood, of its fit where that is at hand."""
    if type(member).log_likelihood_function is not Analysis.log_likelihood_function:
        return _given(member.log_likelihood_function, instance, shared)
    if fit is None:
        fit = _given(member.fit_from, instance, shared)
    return fit.log_likelihood
