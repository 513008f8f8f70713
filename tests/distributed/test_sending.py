"""What is told of analyses that other processes cannot be given."""

import sys
import threading
from typing import Any

import pytest

import ampynb as anb
from ampynb.distributed.sending import pickled
from tests.distributed.chains import run
from tests.helpers import NumpyLine, line_problem


def line() -> Any:
    return line_problem(use_jax=False).analysis


def sent(analysis: Any) -> bytes:
    model = line_problem().model
    return pickled(anb.Posterior(analysis, model).log_likelihood)


class Instrument:
    """Something that an analysis holds."""

    def __init__(self, **parts: Any):
        vars(self).update(parts)


class Refusing:
    """Something whose class does not let it be pickled."""

    def __reduce__(self):
        raise RuntimeError("not this one")


PARTS = [
    (lambda x: x, r"analysis\.part \(.*<lambda>\)"),
    (threading.Lock(), r"analysis\.part \(lock\)"),
    ({"lock": threading.Lock()}, r"analysis\.part \(dict\)"),
    (Instrument(gain=1.0, lock=threading.Lock()), r"analysis\.part\.lock \(lock\)"),
    (Refusing(), r"analysis\.part \(Refusing\)"),
]


@pytest.mark.parametrize(("part", "named"), PARTS)
def test_what_cannot_be_sent_is_named_with_the_remedy(part: Any, named: str):
    analysis = line()
    analysis.part = part
    with pytest.raises(
        ValueError, match=f"got {named}, which cannot be sent"
    ) as caught:
        run(analysis, workers=2)
    told = str(caught.value)
    assert told.startswith("expected an analysis that other processes can import")
    assert "into a module" in told
    assert "executor='thread'" in told
    assert caught.value.__cause__ is not None


def test_a_class_of_a_function_is_named():
    class Local(NumpyLine):
        """A class that no other process can import."""

    with pytest.raises(ValueError, match=r"analysis \(.*Local\), which"):
        sent(Local(line().x, line().y, line().yerr))


def test_another_function_is_named_as_what_it_is():
    with pytest.raises(ValueError, match=r"expected a function .*<lambda>\)"):
        pickled(lambda x: x)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a main module of which there is no file, as that of a notebook."""
    main = sys.modules["__main__"]
    monkeypatch.delattr(main, "__file__", raising=False)
    return main


def test_a_class_of_a_notebook_is_named(notebook, monkeypatch: pytest.MonkeyPatch):
    kind = type("Mine", (NumpyLine,), {"__module__": "__main__"})
    monkeypatch.setattr(notebook, "Mine", kind, raising=False)
    with pytest.raises(ValueError, match="got Mine, defined in the notebook, which"):
        run(kind(line().x, line().y, line().yerr), workers=2)


def test_a_function_of_a_notebook_is_named(notebook, monkeypatch: pytest.MonkeyPatch):
    def spectrum(x):
        return x

    spectrum.__module__, spectrum.__qualname__ = "__main__", "spectrum"
    monkeypatch.setattr(notebook, "spectrum", spectrum, raising=False)
    analysis = line()
    analysis.instrument = Instrument(response=[spectrum])
    with pytest.raises(ValueError, match="got spectrum, defined in the notebook"):
        run(analysis, workers=2)


@pytest.mark.usefixtures("notebook")
def test_a_class_of_a_module_can_be_sent_from_a_notebook():
    assert sent(line())
