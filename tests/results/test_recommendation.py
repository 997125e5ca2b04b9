"""Who is recommended, who never is, and when that cannot be told: on scores with known truths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.compute_time import ComputeTime
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.erasure import Comprehensiveness
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.with_removal import WithRemoval
from assay.results.checks import Check, packaged_checks
from assay.results.recommendation.answer import agreement, answer, record
from assay.results.recommendation.constraints import (
    Constraints,
    MethodFacts,
    Seconds,
    seconds_limit,
    violations,
)
from assay.results.recommendation.evidence import chosen_properties, measure, random_levels, weights_of
from assay.results.recommendation.recommend import decide_groups, recommend
from assay.results.recommendation.recommendation import Recommendation
from assay.results.recommendation.robustness import first_shares, is_mean, texts_to_settle
from assay.results.recommendation.sentences import sentences
from assay.results.records import CellScores, Group, Method, Missing, Results
from assay.results.statistics.estimates import Bootstrap, Estimate, p_from_best
from assay.tasks.errors import InputError

GROUP = Group("task", "model")
AGREEMENT, BY_MASK, COST = HumanAgreement(), Comprehensiveness(), ComputeTime()
BY_DELETE = cast(Metric, WithRemoval(BY_MASK, "delete"))
GOOD, FAIR, POOR = Method("good"), Method("fair"), Method("poor")
MASKED, DELETED = Method("lime", "mask"), Method("lime", "delete")
RANDOM, GOLD = Method("random"), Method("gold")
BRIEF = Bootstrap(n=200, permutations=400)
Levels = Mapping[Any, Mapping[Method, float]]


def cell(method: Method, metric: Metric, values: NDArray[np.float64]) -> CellScores:
    units = tuple(f"text{place:03d}" for place in range(len(values)))
    if metric.name == "human_agreement":
        parts = {"ap": values}
    elif metric.name == "compute_time":
        parts = {"passes": values}
    else:
        parts = {"full": np.ones(len(values)), "removed@50": 1.0 - values}
    return CellScores(
        GROUP, method, metric.name, "0", units, {name: one[:, None] for name, one in parts.items()}
    )


def made_up(levels: Levels, texts: int = 60, spread: float = 0.05, seed: int = 0) -> Results:
    """Scores about these levels; those of one text are hard or easy for all."""
    cells = []
    for metric, of_metric in levels.items():
        rng = np.random.default_rng((seed, len(metric.name)))
        difficulty = rng.normal(size=texts)
        for method, level in of_metric.items():
            noise = 0.0 if metric.name == "compute_time" else spread
            cells.append(cell(method, metric, level + noise * (difficulty + rng.normal(size=texts))))
    methods = dict.fromkeys(method for of_metric in levels.values() for method in of_metric)
    return Results(
        "made up",
        list(levels),
        cells,
        explainers=list(dict.fromkeys(method.explainer for method in methods)),
        controls=frozenset({"random", "gold"}),
        removal="mask",
    )


def advice(levels: Levels, constraints: Constraints = Constraints(), **options: object) -> Recommendation:  # noqa: B008
    weights, facts = options.get("weights"), options.get("facts", {})
    results = made_up(levels, int(options.get("texts", 60)))  # pyright: ignore
    (found,) = recommend(results, facts, constraints, weights, BRIEF)  # pyright: ignore
    return found


CLEAR = {GOOD: 0.8, FAIR: 0.6, POOR: 0.4, RANDOM: 0.2, GOLD: 0.95}


def test_the_best_is_named_alone_and_no_control_is() -> None:
    for levels in ({AGREEMENT: CLEAR}, {AGREEMENT: CLEAR, BY_MASK: CLEAR}):
        found = advice(levels)
        assert (found.refused, found.methods) == ("", (GOOD,))
        assert [one.method for one in found.ranking] == [GOOD, FAIR, POOR]
        assert all(one.low <= one.score <= one.high for one in found.ranking)
        assert sentences(found)[0].text == "Use good."


def test_equal_explainers_are_not_told_apart() -> None:
    found = advice({AGREEMENT: {**CLEAR, FAIR: 0.8}, BY_MASK: {**CLEAR, FAIR: 0.8}})
    assert set(found.methods) == {GOOD, FAIR}
    assert not found.refused and "cannot be told apart" in sentences(found)[0].text


def test_who_violates_a_constraint_is_never_recommended_and_said_to_be_left_out() -> None:
    drawn = {(GROUP, GOOD): MethodFacts(stochastic=True)}
    found = advice({AGREEMENT: CLEAR, BY_MASK: CLEAR}, Constraints(deterministic=True), facts=drawn)
    assert found.methods == (FAIR,) and GOOD not in [one.method for one in found.ranking]
    assert [(one.method, one.violations[0].reason) for one in found.excluded] == [(GOOD, "draws at random")]
    assert [(change.without, change.group) for change in found.changes] == [("deterministic", (GOOD,))]
    nobody = advice({AGREEMENT: CLEAR}, Constraints(additive=True))
    assert (nobody.refused, nobody.methods) == ("all violate", ())


@pytest.mark.parametrize(
    "constraints, facts, kept",
    [
        (Constraints(latency=0.1), MethodFacts(seconds=Seconds(0.05, 0.09, 80)), True),
        # Held against the upper limit, not the quantile itself.
        (Constraints(latency=0.1), MethodFacts(seconds=Seconds(0.05, 0.11, 80)), False),
        (Constraints(latency=9.0), MethodFacts(seconds=Seconds(0.05, math.inf, 40)), False),
        (Constraints(latency=9.0), MethodFacts(), False),
        (Constraints(rows=10), MethodFacts(rows=10), True),
        (Constraints(rows=10), MethodFacts(rows=11), False),
        (Constraints(rows=10), MethodFacts(), False),
        (Constraints(memory=10), MethodFacts(memory=9), True),
        (Constraints(memory=10), MethodFacts(), False),
        (Constraints(gradients=False), MethodFacts(gradients=True), False),
        (Constraints(gradients=False), MethodFacts(), True),
        (Constraints(additive=True), MethodFacts(), False),
        (Constraints(multi_label=True), MethodFacts(), False),
        (Constraints(multi_label=True), MethodFacts(multi_label=True), True),
        (Constraints(), MethodFacts(gradients=True, stochastic=True), True),
    ],
)
def test_a_constraint_is_kept_only_where_that_is_measured(
    constraints: Constraints, facts: MethodFacts, kept: bool
) -> None:
    assert (not violations(facts, constraints)) is kept


def test_the_upper_limit_of_the_p95_holds_in_95_percent() -> None:
    rng = np.random.default_rng(3)
    truth = -math.log(0.05)
    for texts in (59, 100, 200):
        held = [seconds_limit(rng.exponential(size=texts)).upper >= truth for _ in range(300)]
        assert np.mean(held) >= 0.91
    assert math.isinf(seconds_limit(np.ones(58)).upper)


@pytest.mark.parametrize(
    "levels, refused",
    [
        ({AGREEMENT: {RANDOM: 0.2, GOLD: 0.9}}, "no candidate"),
        ({COST: {GOOD: 3.0, RANDOM: 0.0}}, "no truth"),
        ({AGREEMENT: {GOOD: 0.8, FAIR: 0.5}}, "no random"),
        ({AGREEMENT: {GOOD: 0.2, FAIR: 0.2, RANDOM: 0.2, GOLD: 0.9}}, "nothing beats random"),
    ],
)
def test_it_refuses_where_nothing_shows_that_an_explainer_is_any_good(levels: Levels, refused: str) -> None:
    found = advice(levels)
    assert found.refused == refused
    assert not any(one.recommended for one in found.ranking)


def test_a_metric_that_failed_its_check_or_was_not_checked_is_no_reason() -> None:
    results = made_up({AGREEMENT: CLEAR})
    for checks in ({"human_agreement": Check("human_agreement", "fails", "")}, {}):
        (found,) = recommend(results, {}, bootstrap=BRIEF, checks=checks)
        assert found.refused == "no truth"


def test_metrics_that_judge_truth_share_the_error_of_beating_random() -> None:
    """Beating it on any of them is enough to be recommended."""
    for metrics, expected in (((AGREEMENT,), [0.95]), ((AGREEMENT, BY_MASK), [0.975] * 2)):
        results = made_up({metric: CLEAR for metric in metrics})
        properties = chosen_properties(results.metrics, results.removal, packaged_checks())
        found = measure(results, GROUP, properties, BRIEF)
        assert random_levels(found, 0.95) == pytest.approx(expected)
        without = [replace(each, random=None) for each in found[:1]] + found[1:]
        assert random_levels(without, 0.95)[0] == 0.95
        assert random_levels([replace(each, tells=False) for each in found], 0.95) == [0.95] * len(found)


def test_none_of_the_best_by_the_weights_may_be_no_better_than_random() -> None:
    """Cheap, and no better than random: the weights alone would have it."""
    levels = {AGREEMENT: {GOOD: 0.8, POOR: 0.2, RANDOM: 0.2}, COST: {GOOD: 1000.0, POOR: 1.0, RANDOM: 0.0}}
    found = advice(levels, weights={"human agreement": 1.0, "compute time": 9.0})
    assert found.refused == "none of the best beats random"
    costly = advice(levels, weights={"human agreement": 9.0, "compute time": 1.0})
    assert (costly.refused, costly.methods) == ("", (GOOD,))
    assert advice(levels).methods == (GOOD,)


def test_cost_enters_by_its_logarithm() -> None:
    levels = {
        AGREEMENT: {GOOD: 0.5, FAIR: 0.5, POOR: 0.5, RANDOM: 0.2},
        COST: {GOOD: 1.0, FAIR: 10.0, POOR: 100.0, RANDOM: 0.0},
    }
    found = advice(levels, weights={"compute time": 1.0})
    assert [round(one.score, 6) for one in found.ranking] == [1.0, 0.5, 0.0]


def test_too_few_texts_are_no_evidence() -> None:
    assert advice({AGREEMENT: CLEAR, BY_MASK: CLEAR}, texts=9).refused == "no truth"


def test_a_baseline_needs_two_operators_that_agree() -> None:
    levels = {MASKED: 0.8, FAIR: 0.5, RANDOM: 0.2}
    alone = advice({BY_MASK: levels})
    assert (alone.refused, alone.unjudged) == ("one operator", (MASKED,))
    both = advice({BY_MASK: levels, BY_DELETE: levels})
    assert (both.refused, both.methods) == ("", (MASKED,))
    # Worse even by the metric that favours it: nothing hangs on its baseline.
    assert advice({BY_MASK: {MASKED: 0.4, FAIR: 0.7, RANDOM: 0.2}}).methods == (FAIR,)
    # Not by its own operator, but by one alone.
    assert advice({BY_MASK: {DELETED: 0.8, FAIR: 0.5, RANDOM: 0.2}}).refused == "one operator"
    # No metric takes tokens away: no operator is shared.
    assert advice({AGREEMENT: levels}).methods == (MASKED,)


def test_who_can_be_told_is_recommended_beside_a_baseline_that_cannot() -> None:
    found = advice({BY_MASK: {MASKED: 0.8, FAIR: 0.7, POOR: 0.4, RANDOM: 0.2}})
    assert (found.refused, found.unjudged) == ("one operator", (MASKED,)) and set(found.methods) == {
        MASKED,
        FAIR,
    }
    first, second = [one.text for one in sentences(found)][:2]
    assert first.startswith("Cannot be told: lime with baseline mask may be best, but a baseline needs")
    assert second == (
        "Of those that two operators judge, or that need no baseline, use fair: not told apart from the best "
        "of them by faithfulness."
    )


MANY = {Method(f"e{place:02d}"): 0.8 - 0.001 * place for place in range(30)}


@pytest.mark.parametrize("texts, few", [(12, True), (14, True), (15, False)])
def test_too_few_texts_for_so_many_explainers_recommend_nobody(texts: int, few: bool) -> None:
    """435 pairs times 2^(1 - n) is at most 0.05 from 15 texts on: 0.053 of 14, 0.027 of 15."""
    found = advice({AGREEMENT: {**MANY, RANDOM: 0.1}}, texts=texts)
    assert (found.refused == "too few texts") == few
    if few:
        (verdict,) = found.properties
        assert found.too_few == verdict.note and not any(one.recommended for one in found.ranking)
        numbers = f"({texts} texts, 435 pairs of explainers)"
        assert (
            sentences(found)[0].text == f"Cannot be told: too few texts to tell explainers apart {numbers}."
        )


def test_texts_are_too_few_only_where_they_are_for_all_that_has_a_weight() -> None:
    levels = {AGREEMENT: {**MANY, RANDOM: 0.1}, BY_MASK: {**MANY, RANDOM: 0.1}}
    assert advice(levels, texts=12).refused == "too few texts"
    results = made_up(levels, 60)
    shorter = [
        replace(one, units=one.units[:12], parts={name: of[:12] for name, of in one.parts.items()})
        if one.metric == AGREEMENT.name
        else one
        for one in results.cells
    ]
    (found,) = recommend(replace(results, cells=shorter), {}, bootstrap=BRIEF)
    assert found.refused == ""
    # A cost is a count: who is cheaper needs no test.
    costs = {method: 10.0**place for place, method in enumerate(MANY)}
    cheap = advice(
        {AGREEMENT: levels[AGREEMENT], COST: {**costs, RANDOM: 0.0}}, weights={"compute time": 1.0}, texts=12
    )
    assert (cheap.refused, cheap.methods) == ("", (Method("e00"),))


def test_two_operators_share_alpha_of_which_texts_may_be_too_few() -> None:
    levels = {**MANY, RANDOM: 0.1}
    assert advice({BY_MASK: levels}, texts=15).refused != "too few texts"
    assert advice({BY_MASK: levels, BY_DELETE: levels}, texts=15).refused == "too few texts"
    assert advice({BY_MASK: levels, BY_DELETE: levels}, texts=16).refused != "too few texts"


def test_of_the_best_only_those_are_used_that_are_shown_to_beat_random() -> None:
    """By cost alone both are as good; by agreement one of them is no better than random."""
    levels = {
        AGREEMENT: {GOOD: 0.8, FAIR: 0.2, POOR: 0.2, RANDOM: 0.2},
        COST: {GOOD: 10.0, FAIR: 10.0, POOR: 1000.0, RANDOM: 0.0},
    }
    found = advice(levels, weights={"compute time": 1.0})
    assert (found.refused, found.methods, found.unshown) == ("", (GOOD,), (FAIR,))
    assert [one.method for one in found.ranking if one.recommended] == [GOOD]
    first, second, third = [one.text for one in sentences(found)][:3]
    assert first == "Use good: not told apart from the best by compute time, and shown to beat random."
    assert second == (
        "fair cannot be told apart from the best either, but is not shown to beat random on human agreement."
    )
    assert third.startswith("poor did worse by compute time")


def test_a_combination_that_makes_no_sense_is_not_left_out_for_want_of_values() -> None:
    results = made_up({AGREEMENT: CLEAR})
    refused = Missing("it needs a baseline in the model's input", *GROUP, "", *DELETED)
    failed = Missing("out of memory", *GROUP, "0", *MASKED, failed=True)
    (found,) = recommend(replace(results, absences=[refused, failed]), {}, bootstrap=BRIEF)
    assert [one.method for one in found.excluded] == [MASKED]
    # A single metric that does not fit leaves the combination planned.
    metric = replace(refused, metric=AGREEMENT.name)
    (found,) = recommend(replace(results, absences=[metric]), {}, bootstrap=BRIEF)
    assert [one.method for one in found.excluded] == [DELETED]


def test_values_of_few_texts_are_said_to_be_of_few() -> None:
    results = made_up({AGREEMENT: CLEAR, BY_MASK: CLEAR})
    few = [
        replace(one, units=one.units[:9], parts={name: of[:9] for name, of in one.parts.items()})
        if one.method == FAIR and one.metric == AGREEMENT.name
        else one
        for one in results.cells
    ]
    (found,) = recommend(replace(results, cells=few), {}, bootstrap=BRIEF)
    told = [one.text for one in sentences(found) if one.key == "few texts"]
    assert told == ["fair has values of fewer than ten texts, or groups of texts, on human agreement."]
    (excluded,) = found.excluded
    assert excluded.method == FAIR
    assert excluded.violations[0].reason == "has values of fewer than ten texts of human agreement"
    all_few = advice({AGREEMENT: CLEAR, BY_MASK: CLEAR}, texts=9)
    assert "ten texts or more" in sentences(all_few)[0].text
    assert sentences(all_few)[1].text.startswith("fair, good, poor and random have values of fewer than ten")


def test_operators_that_disagree_recommend_nothing() -> None:
    found = advice(
        {BY_MASK: {GOOD: 0.8, FAIR: 0.5, RANDOM: 0.2}, BY_DELETE: {GOOD: 0.5, FAIR: 0.8, RANDOM: 0.2}}
    )
    assert (found.refused, found.methods) == ("operators disagree", ())
    assert {(change.by, change.group) for change in found.changes} == {("mask", (GOOD,)), ("delete", (FAIR,))}


def test_a_metric_of_its_own_operator_pushes_nobody_out() -> None:
    """By mask, mask is favoured, by delete, delete: neither is told from the other, whoever is ahead."""
    favoured = {
        BY_MASK: {MASKED: 0.8, DELETED: 0.7, POOR: 0.4, RANDOM: 0.2},
        BY_DELETE: {MASKED: 0.7, DELETED: 0.8, POOR: 0.4, RANDOM: 0.2},
    }
    found = advice(favoured)
    assert (found.refused, set(found.methods)) == ("", {MASKED, DELETED})
    # Ahead even by the other's operator.
    better = advice({BY_MASK: favoured[BY_MASK], BY_DELETE: {**favoured[BY_MASK]}})
    assert (better.refused, better.methods) == ("", (MASKED,))


def test_operators_of_other_names_that_put_in_the_same_are_one() -> None:
    levels = {MASKED: 0.8, FAIR: 0.5, RANDOM: 0.2}
    results = replace(
        made_up({BY_MASK: levels, BY_DELETE: levels}), alike={"mask": frozenset({"mask", "delete"})}
    )
    (found,) = recommend(results, {}, bootstrap=BRIEF)
    assert found.refused in ("one operator", "none of the best beats random")


def test_only_some_may_lead() -> None:
    rng = np.random.default_rng(0)

    def of(value: float) -> Estimate:
        return Estimate({"": value}, {"": value + 0.01 * rng.normal(size=400)})

    estimates = [of(0.9), of(0.5), of(0.1)]
    assert p_from_best(estimates, higher=True)[1:] < [0.001, 0.001]
    first, second, third = p_from_best(estimates, higher=True, may_lead=[False, True, True])
    assert (first, second) == (1.0, 1.0) and third < 0.001
    assert p_from_best(estimates, higher=False, may_lead=[True, True, False])[2] == 1.0
    assert p_from_best(estimates, higher=True, may_lead=[False] * 3)[0] == 1.0


def test_weights_that_mean_nothing_are_refused() -> None:
    metrics: Sequence[Metric] = (AGREEMENT, BY_MASK)
    properties = chosen_properties(metrics, "mask", {})
    for weights, words in (
        ({"faithfullness": 1.0}, "did you mean 'faithfulness'"),
        ({"faithfulness": 0.0}, "all weights are 0"),
        ({"faithfulness": -1.0}, "expected 0 or more"),
        ({"faithfulness": math.nan}, "expected 0 or more"),
    ):
        with pytest.raises(InputError, match=words):
            weights_of(weights, properties, metrics)
    with pytest.raises(InputError, match="above 0"):
        Constraints(latency=0)


def test_texts_are_resampled_jointly_also_where_some_lack_a_value() -> None:
    """The same values as two properties: their resamples hang together, though one lacks a text."""
    results = made_up({AGREEMENT: CLEAR})
    values = {one.method: one.parts["ap"][:, 0] for one in results.cells}
    lacking = [
        replace(whole, units=whole.units[1:], parts={n: v[1:] for n, v in whole.parts.items()})
        for method, of_method in values.items()
        for whole in (cell(method, BY_MASK, of_method),)
    ]
    results = replace(results, metrics=[AGREEMENT, BY_MASK], cells=[*results.cells, *lacking])
    properties = chosen_properties(results.metrics, "mask", {})
    one, other = (each.estimates[GOOD].replicates["0"] for each in measure(results, GROUP, properties, BRIEF))
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_the_shares_of_weightings_are_those_of_the_simplex() -> None:
    """First is 1 on one property and 0 on the other; second 0 and 0.5: it needs two thirds of the weight."""
    levels = {
        AGREEMENT: {GOOD: 0.8, FAIR: 0.2001, RANDOM: 0.2},
        BY_MASK: {GOOD: 0.2, FAIR: 0.5, POOR: 0.8, RANDOM: 0.2},
    }
    levels[AGREEMENT][POOR] = 0.2
    ((found, _),) = decide_groups(made_up(levels, spread=1e-4), {}, bootstrap=BRIEF).values()
    shares = first_shares(found.decision.views, seed=0)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[GOOD] == pytest.approx(0.5, abs=0.02) and shares[POOR] == pytest.approx(0.5, abs=0.02)
    assert shares == first_shares(found.decision.views, seed=0)


def test_more_texts_are_what_the_deviation_asks_for() -> None:
    """Of a difference of 0.4 deviations, of 20 texts: (1.96 + 0.84)² / 0.4² = 49.1 in all."""
    texts, rng = 20, np.random.default_rng(1)
    noise = rng.normal(size=texts)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    values = {GOOD: 0.5 + 0.0 * noise, FAIR: 0.5 - 0.05 * (0.4 + noise), RANDOM: 0.1 + 0.001 * noise}
    cells = [cell(method, AGREEMENT, of_method) for method, of_method in values.items()]
    results = Results("x", [AGREEMENT], cells, ["good", "fair", "random"], frozenset({"random"}))
    ((found, _),) = decide_groups(results, {}, bootstrap=Bootstrap(n=4000)).values()
    assert found.decision.group == (GOOD, FAIR)
    more = texts_to_settle(found.decision.views, found.decision.group, 0.05)
    assert texts + more[FAIR] == pytest.approx(49.1, abs=4)


def test_only_means_of_texts_say_how_many_texts_more() -> None:
    rng = np.random.default_rng(2)
    units = tuple(f"t{place}" for place in range(30))
    gold = np.eye(2)[rng.integers(0, 2, 30)]
    steps = {f"predicted@{t}": np.eye(2)[rng.integers(0, 2, 30)] for t in range(0, 101, 10)}
    areas = CellScores(GROUP, GOOD, "faithfulness", "0", units, {"gold": gold, **steps})
    assert not is_mean(Faithfulness(), areas)
    assert is_mean(AGREEMENT, cell(GOOD, AGREEMENT, rng.random(30)))
    assert is_mean(BY_MASK, cell(GOOD, BY_MASK, rng.random(30)))
    assert not is_mean(DatasetConsistency(), areas)


def test_groups_agree_or_not_in_one_line() -> None:
    def of(*methods: Method, refused: str = "") -> Recommendation:
        return Recommendation(GROUP, refused, methods)

    assert agreement([of(GOOD), of(GOOD)]) == "All 2 recommendations are the same: good."
    assert "In all 2 recommendations: good" in agreement([of(GOOD, FAIR), of(GOOD)])
    assert "no explainer in common" in agreement([of(FAIR), of(GOOD)])
    assert agreement([of(GOOD), of(refused="no truth")]).endswith("1 of 2 cannot be told.")
    assert agreement([of(refused="no truth")] * 2) == "None of 2 can be told."


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0, "<.001"),
        (0.0004, "<.001"),
        (0.0006, "0.001"),
        (0.0166, "0.017"),
        (1.0, "1.000"),
        (math.nan, "–"),
    ],
)
def test_the_ranked_list_never_says_that_p_is_zero(p: float, shown: str) -> None:
    found = advice({AGREEMENT: CLEAR})
    ranked = tuple(replace(one, p=p) for one in found.ranking)
    head, first, *_ = answer([replace(found, ranking=ranked)]).split("\n\n")[1].splitlines()
    assert first[: head.index(" p ") + 2].split()[-1] == shown


def test_the_columns_of_the_ranked_list_are_explained_below_it() -> None:
    said = answer([advice({AGREEMENT: CLEAR})]).split("\n\n")[1]
    legend = " ".join(said.partition("  * recommended;")[2].split())
    assert "p: of being as good as the best by these weights" in legend
    assert "first: the share of random weightings in which it is first, which is no test" in legend


def test_a_record_is_plain() -> None:
    plain = record(advice({AGREEMENT: CLEAR, COST: {GOOD: 4.0, FAIR: 8.0, POOR: 0.0, RANDOM: 0.0}}))
    assert plain["methods"] == [{"explainer": "good", "baseline": ""}]
    assert plain["sentences"][0] == {"key": "use one", "text": "Use good."}
    assert all(isinstance(one["score"], float) for one in plain["ranking"])
