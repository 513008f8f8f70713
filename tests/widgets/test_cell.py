import gc
import weakref

from ampynb.widgets.cell import take_over


class Made:
    closed = 0

    def close(self):
        self.closed += 1


def request(cell, run):
    return {"metadata": {"cellId": cell}, "header": {"msg_id": run}}


def test_a_cell_that_runs_again_closes_what_it_made():
    first, again = Made(), Made()
    take_over(first, request("a", "1"))
    assert first.closed == 0
    take_over(again, request("a", "2"))
    assert (first.closed, again.closed) == (1, 0)


def test_what_one_run_of_a_cell_makes_lives_together():
    several = [Made() for _ in range(3)]
    for one in several:
        take_over(one, request("b", "1"))
    assert [one.closed for one in several] == [0, 0, 0]
    last = Made()
    take_over(last, request("b", "2"))
    assert [one.closed for one in several] == [1, 1, 1]


def test_other_cells_are_left_alone():
    one, other = Made(), Made()
    take_over(one, request("c", "1"))
    take_over(other, request("d", "2"))
    assert one.closed == 0


def test_a_front_end_that_does_not_name_the_cell_has_nothing_closed():
    one, other = Made(), Made()
    for run, made in (("1", one), ("2", other)):
        take_over(made, {"metadata": {}, "header": {"msg_id": run}})
        take_over(made)  # no notebook at all
    assert one.closed == 0


def test_what_nobody_holds_is_not_held_here():
    made = Made()
    held = weakref.ref(made)
    take_over(made, request("e", "1"))
    del made
    gc.collect()
    assert held() is None
    take_over(Made(), request("e", "2"))
