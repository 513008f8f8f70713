"""The numbers below a picture: chi squared where it is one."""

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.widgets.drawing import Drawing
from ampynb.widgets.point import Point

X = np.arange(1.0, 7.0)
LIMIT = X > 4
FREEDOM = "χ² / degrees of freedom"
NONE = {"ln likelihood", "ln prior"}


class Given(anb.Analysis):
    def __init__(self, make):
        super().__init__()
        self.x, self.make = X, make

    def fit_from(self, instance):
        return self.make(instance.slope * self.x)


def gaussian(**more):
    return Given(lambda model: anb.GaussianFit(X, 1.0, model, **more))


POISSON = Given(lambda model: anb.PoissonFit(X, model))
STUDENT = Given(lambda model: anb.StudentTFit(X, 1.0, model))
# An analysis, and its degrees of freedom besides those of parameters.
SHOWN = {
    "Gaussian": (gaussian(), 6),
    "masked": (gaussian(mask=~LIMIT), 4),
    "upper limits": (gaussian(upper_limit=LIMIT), 4),
    "both": (gaussian(upper_limit=LIMIT, mask=X > 1), 3),
    "joint": (anb.JointAnalysis(a=gaussian(), b=gaussian(mask=~LIMIT)), 10),
    "as many data as parameters": (gaussian(mask=X < 2), 1),
    "limits alone": (gaussian(upper_limit=X > 0), 0),
    "Poisson": (POISSON, None),
    "Student-t": (STUDENT, None),
    "joint with another": (anb.JointAnalysis(a=gaussian(), b=STUDENT), None),
}


@pytest.mark.parametrize(("analysis", "n"), SHOWN.values(), ids=SHOWN)
def test_chi_squared_is_shown_where_it_is_one(analysis, n):
    model = anb.Model(slope=dist.Uniform(0.5, 1.6))
    point = Point.at(model, model.instance_from_prior_medians())
    numbers = dict(Drawing(analysis).frame(point).numbers)
    more = set(numbers) - NONE
    if n is None:
        assert not more
    elif n <= model.ndim:
        assert more == {"χ²"}
    else:
        fit = analysis.fit_from(point.instance)
        assert numbers[FREEDOM] == f"{float(fit.chi_squared):.1f} / {n - 1}"


@pytest.mark.parametrize("kind", [anb.PoissonFit, anb.GaussianFit])
def test_a_fit_prints_chi_squared_where_it_is_one(kind):
    given = {} if kind is anb.PoissonFit else {"noise": 1.0}
    printed = repr(kind(data=X, model=X, **given))
    assert ("chi_squared" in printed) is kind.is_chi_squared
