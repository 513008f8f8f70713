"""Labels are drawn by matplotlib, or are refused where they are given."""

import subprocess
import sys
from typing import Any

import numpyro.distributions as dist
import pytest
from matplotlib.figure import Figure

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)
DRAWN = {
    r"\theta_E": r"$\theta_E$",
    r"$\theta_E$": r"$\theta_E$",
    " $m$ ": "$m$",
    r"\$": r"$\$$",
    r"\mathrm{flux} \times 10^{3}": r"$\mathrm{flux} \times 10^{3}$",
    "slope": "$slope$",
    "µ": "$µ$",
    "": "p",
    "$$": "p",
    " ": "p",
}
REFUSED = [
    r"\theta_{E",
    "100% & #",
    "50%",
    r"\nosuchcommand",
    "x_1_2",
    "x^",
    "a}",
    "flux $F$ here",
    "$m",
    "a\x00b",
    "a\\",
]


@pytest.mark.parametrize("label", DRAWN)
def test_a_label_is_drawn_with_and_without_dollars(label):
    model = anb.Model(p=anb.Parameter(NORMAL, label=label))
    assert model.labels == [DRAWN[label]]
    vector = anb.Model(p=anb.Parameter(dist.Normal(0, 1).expand([2]), label=label))
    figure = Figure()
    for text in [*model.labels, *vector.labels]:
        figure.text(0.5, 0.5, text)
    figure.canvas.draw()


@pytest.mark.parametrize("label", REFUSED)
@pytest.mark.parametrize(
    "give", [lambda s: anb.Parameter(NORMAL, label=s), lambda s: anb.Latent(label=s)]
)
def test_a_label_that_is_no_mathtext_is_refused(label, give):
    with pytest.raises(ValueError, match=r"expected a label that .*; got .*; write"):
        give(label)


def test_a_label_that_is_no_text_is_refused():
    number: Any = 3
    with pytest.raises(TypeError, match="expected a label as text; got int"):
        anb.Parameter(NORMAL, label=number)


def test_a_plain_label_loads_no_matplotlib():
    code = (
        "import sys, ampynb as anb, numpyro.distributions as dist;"
        "anb.Parameter(dist.Normal(0, 1), label='m (day)');"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
