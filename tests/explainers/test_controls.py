from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from explainer_models import explain, request, scores, smooth

from assay.explainers.baselines import Pad
from assay.explainers.controls.controls import Gold, Inverted, Random
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.tasks.errors import InputError
from assay.tasks.example import Example, GradedSpan, Rationale, Span


def test_random_scores_are_uniform_and_below_one():
    drawn = scores(explain(Random(), smooth(), [request(range(2, 22), range(3))] * 1, None)[0])
    many = np.concatenate(
        [scores(found) for found in explain(Random(), smooth(), [request([2] * 4000, [0])], None)], axis=None
    )
    assert drawn.dtype == np.float32
    assert many.min() >= 0 and many.max() < 1
    # Four standard errors of the mean of 4000.
    assert abs(many.mean() - 0.5) < 4 / np.sqrt(12 * 4000)


def test_random_scores_depend_on_seed_example_and_target_alone():
    asked = request((4, 9, 5), seed=1)
    (first,) = explain(Random(), smooth(), [asked], None)
    (_, again) = explain(Random(), smooth(2), [request((9, 9)), asked], Pad(), budget=1)
    np.testing.assert_array_equal(scores(first), scores(again))
    np.testing.assert_array_equal(
        scores(first)[2],
        scores(explain(Random(), smooth(), [replace(asked, targets=np.array([2]))], None)[0])[0],
    )
    others = [replace(asked, seed=2), replace(asked, example=replace(asked.example, id="another"))]
    for (other,) in (explain(Random(), smooth(), [one], None) for one in others):
        assert (scores(first) != scores(other)).all()
    assert (scores(first)[0] != scores(first)[1]).all()


def _with_rationales(rationales: tuple[Rationale, ...]) -> Request:
    """The text "ab cd ef" of three words of two letters, with [CLS]-like tokens around it, in class 0."""
    asked = request((2, 4, 9, 5, 3), (0, 1), specials=(0, 4))
    asked.encoding.offsets[1:4] = [[0, 2], [3, 5], [6, 8]]
    return replace(asked, example=Example("x", ("ab cd ef",), (0,), rationales))


def test_gold_marks_the_tokens_of_the_rationale_of_each_label():
    both = _with_rationales((Rationale((Span(3, 5),)), Rationale((Span(6, 8), Span(0, 1)), label=1)))
    found = scores(explain(Gold(), smooth(2), [both], None)[0])
    np.testing.assert_array_equal(found, [[0, -1, 1, -1, 0], [0, 1, -1, 1, 0]])


def test_gold_is_the_highest_grade_where_marks_are_graded():
    def one(start: int, end: int, grade: float, **about: Any) -> Rationale:
        return Rationale((), graded=(GradedSpan(Span(start, end), grade),), **about)

    several = (one(3, 5, 0.5), one(3, 5, 0.75, annotator="b"), one(6, 8, 0.25), one(0, 2, 0.5, label=1))
    found = scores(explain(Gold(), smooth(2), [_with_rationales(several)], None)[0])
    np.testing.assert_array_equal(found, [[0, -1, 0.75, 0.25, 0], [0, 0.5, -1, -1, 0]])


def test_gold_has_no_evidence_against_where_several_labels_may_be_right():
    both = _with_rationales((Rationale((Span(3, 5),)), Rationale((Span(6, 8),), label=1)))
    several = smooth(2)
    several.multi_label = True
    found = scores(explain(Gold(), several, [both], None)[0])
    np.testing.assert_array_equal(found, [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]])


def test_gold_is_zero_where_nobody_marked_anything():
    assert not scores(explain(Gold(), smooth(2), [_with_rationales(())], None)[0]).any()


def test_gold_names_the_example_whose_rationale_meets_no_token():
    astray = _with_rationales((Rationale((Span(2, 3),)),))
    with pytest.raises(
        InputError, match=r"example 'x'.*no token overlaps the rationale at characters 2 to 3"
    ):
        explain(
            Gold(), smooth(2), [replace(astray, example=replace(astray.example, texts=("ab.cd ef",)))], None
        )


def test_inverted_turns_the_sign_and_keeps_the_rest():
    asked, model = request((4, 9, 5)), smooth()
    plain = explain(Occlusion(), model, [asked], Pad())[0]
    turned = explain(Inverted(of=Occlusion()), model, [asked], Pad())[0]
    np.testing.assert_array_equal(scores(turned), -scores(plain))
    assert [record.value_input for record in turned] == [record.value_input for record in plain]
    assert turned[0].cost.forward_rows == plain[0].cost.forward_rows
    assert np.isnan(turned[0].completeness_gap)


def test_inverted_declares_what_its_explainer_needs():
    of = Inverted(of=Occlusion()).traits
    assert (of.baseline, of.additive, of.stochastic) == ("removal", False, False)
    assert Inverted(of=Saliency()).traits.needs == {"gradients"}
    assert Inverted(of=Saliency()).traits.signed
