"""The figure that tells from how many texts training an explainer pays."""

from __future__ import annotations

import re

from assay.results.figures.paying import COMPARED, paying
from assay.results.records import Group
from assay.results.training_costs import TrainingCost, pays_from

GROUP = Group("reviews", "cnn")
COST = TrainingCost(
    GROUP, "diffmask", 990, 1.0, {"lime (mask)": 100.0, "saliency": 1.0, "sobol (mask)": 991.0}
)


def test_training_pays_from_where_both_cost_the_same() -> None:
    assert COST.pays() == {"sobol (mask)": 1, "lime (mask)": 10}
    for count in (10, 11, 12):
        # At the number it is no dearer, and one text before it is.
        training = 99 * count - 5
        paid = pays_from(training, 1, 100)
        assert paid is not None and paid == count and training + paid <= 100 * paid
        assert training + (paid - 1) > 100 * (paid - 1)
    assert pays_from(0, 1, 2) == 1 and pays_from(0, 2, 2) is None


def test_it_draws_both_costs_and_marks_where_they_cross() -> None:
    drawn = paying([COST])
    assert drawn is not None and drawn.png.startswith(b"\x89PNG")
    svg = drawn.svg.decode()
    for written in ("reviews / cnn", "diffmask, trained", "lime (mask): from 10 texts", "model rows in all"):
        assert f">{written}" in svg
    # Nothing is said of what is never dearer.
    assert "saliency" not in svg
    assert (
        "training of diffmask took 990 rows and pays from 1 texts against sobol (mask), from 10" in drawn.text
    )


def test_only_the_first_model_of_a_group_and_the_cheapest_others_are_drawn() -> None:
    second = TrainingCost(GROUP, "diffmask", 10, 1.0, {"lime (mask)": 100.0})
    many = {f"other {n}": 2.0 + n for n in range(COMPARED + 3)}
    other = TrainingCost(Group("tweets", "lstm"), "diffmask", 500, 1.0, many)
    drawn = paying([COST, second, other])
    assert drawn is not None
    svg = drawn.svg.decode()
    assert len(re.findall("diffmask, trained", svg)) == 2 and "from 10 texts" in svg
    assert [f">other {n}: from" in svg for n in range(len(many))] == [n < COMPARED for n in range(len(many))]


def test_without_training_or_anything_to_compare_with_there_is_no_figure() -> None:
    assert paying([]) is None and paying([TrainingCost(GROUP, "diffmask", 9, 1.0, {})]) is None
    drawn = paying([TrainingCost(GROUP, "diffmask", 9, 1.0, {"saliency": 1.0})])
    assert drawn is not None and "pays against none" in drawn.svg.decode() + drawn.text


def test_the_same_costs_give_the_same_bytes() -> None:
    first, again = paying([COST]), paying([COST])
    assert first is not None and again is not None and (first.svg, first.png) == (again.svg, again.png)
