"""The summary of synthetic experiments: values, intervals, best group, reasons for what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import pytest
from results_synthetic import AGREEMENT as MEAN
from results_synthetic import CONTROLS, QUALITY, Group, MeanOf, Method, cell, experiment

from assay.metrics.cell_data import Metric
from assay.metrics.resampling import distance_correlation
from assay.results.records import CellScores, Missing, Results
from assay.results.statistics.best_group import better_than, is_better
from assay.results.statistics.comparison import COLUMNS, aligned, compare, estimate
from assay.results.statistics.estimates import Bootstrap, Estimate
from assay.results.statistics.undefined import UNKNOWN, why_undefined
from assay.results.tables.layout import grids

AGREEMENT = cast(Metric, MEAN)
FEW = Bootstrap(n=200)


def results(*cells: CellScores, absences: tuple[Missing, ...] = (), **about: object) -> Results:
    """An experiment of one metric."""
    explainers = tuple(dict.fromkeys(each.method.explainer for each in cells))
    known = Results("made up", (AGREEMENT,), cells, explainers, controls=CONTROLS, absences=absences)
    return replace(known, **about) if about else known


def rows(table: pd.DataFrame, **where: str) -> list[dict[str, Any]]:
    """The rows whose columns are as said."""
    records = table.to_dict("records")
    found = [{str(name): value for name, value in record.items()} for record in records]
    return [record for record in found if all(record[name] == value for name, value in where.items())]


def row(table: pd.DataFrame, explainer: str, baseline: str = "") -> dict[str, Any]:
    """The only row of the method."""
    (found,) = rows(table, explainer=explainer, baseline=baseline)
    return found


def values(seed: int, n: int = 40) -> np.ndarray:
    """Some numbers in 0..1."""
    return np.random.default_rng(seed).uniform(0, 1, n)


def test_columns_and_order_controls_last() -> None:
    table = compare(experiment(), FEW)
    assert tuple(table.columns) == COLUMNS
    of_group = rows(table, task="planted", metric="agreement")
    names = ["occlusion", "lime", "saliency", "gold", "random", "inverted"]
    assert list(dict.fromkeys(each["explainer"] for each in of_group)) == names
    assert all(each["control"] == (each["explainer"] in CONTROLS) for each in of_group)


def test_bytes_do_not_depend_on_the_order_of_the_cells() -> None:
    known = experiment(n=20)
    backwards = replace(known, cells=[*reversed(known.cells)])
    one, two = (compare(each, FEW).set_index(list(COLUMNS[:6])) for each in (known, backwards))
    pd.testing.assert_frame_equal(one, two.loc[one.index], check_exact=True)
    assert compare(known, FEW).to_csv() == compare(known, FEW).to_csv()


def test_value_is_the_mean_over_seeds_and_the_interval_holds_it() -> None:
    seeds = values(0), values(1)
    table = compare(
        results(*(cell(Method("lime"), "agreement", v, seed=str(s)) for s, v in enumerate(seeds))), FEW
    )
    found = row(table, "lime")
    assert found["value"] == pytest.approx(np.mean([v.mean() for v in seeds]))
    assert found["seed_deviation"] == pytest.approx(np.std([v.mean() for v in seeds], ddof=1))
    assert found["low"] < found["value"] < found["high"]
    assert (found["n_seeds"], found["n_units"]) == (2, 80)


def test_explainer_seeds_are_averaged_within_a_model_seed() -> None:
    runs = [replace(cell(Method("lime"), "agreement", values(s)), explainer_seed=s) for s in (0, 1)]
    found = row(compare(results(*runs), FEW), "lime")
    assert found["value"] == pytest.approx((values(0).mean() + values(1).mean()) / 2)
    assert found["n_seeds"] == 1


def test_explainers_are_resampled_together() -> None:
    """Two explainers that differ by a constant have intervals that differ by it exactly."""
    low, high = values(0) / 2, values(0) / 2 + 0.25
    table = compare(
        results(cell(Method("lime"), "agreement", low), cell(Method("saliency"), "agreement", high)), FEW
    )
    one, two = row(table, "lime"), row(table, "saliency")
    assert two["low"] - one["low"] == pytest.approx(0.25, abs=1e-12)
    assert two["high"] - one["high"] == pytest.approx(0.25, abs=1e-12)
    assert two["best"] and not one["best"]


def test_the_known_best_wins_and_the_known_worst_does_not() -> None:
    table = compare(experiment(), FEW)
    for metric in ("agreement", "faithfulness", "confidence"):
        best = {each["explainer"] for each in rows(table, task="planted", metric=metric) if each["best"]}
        assert "occlusion" in best and "saliency" not in best


def test_controls_are_never_best() -> None:
    assert QUALITY["gold"] > QUALITY["occlusion"]
    table = compare(experiment(), FEW)
    assert rows(table) and not any(each["best"] and each["control"] for each in rows(table))


def test_controls_do_not_change_the_group_of_the_others() -> None:
    methods = [Method("occlusion", "pad"), Method("lime", "pad"), Method("saliency")]
    noisy = [cell(m, "agreement", np.clip(values(7) + 0.02 * k, 0, 1)) for k, m in enumerate(methods)]
    controls = [cell(Method(name), "agreement", values(k)) for k, name in enumerate(sorted(CONTROLS))]
    alone, among = compare(results(*noisy), FEW), compare(results(*noisy, *controls), FEW)
    for method in methods:
        assert row(alone, *method)["p"] == row(among, *method)["p"]


def test_a_missing_cell_says_why() -> None:
    group = Group("planted", "cnn")
    refused = Missing("it removes words", *group, explainer="lime", baseline="zero")
    failed = Missing("out of memory", task="planted", explainer="saliency", failed=True)
    other = Missing("elsewhere", task="reviews", explainer="gradient")
    table = compare(
        results(cell(Method("lime", "pad"), "agreement", values(0)), absences=(refused, failed, other)), FEW
    )
    assert row(table, "lime", "zero")["reason"] == "it removes words"
    assert row(table, "saliency")["reason"] == "out of memory"
    assert row(table, "lime", "pad")["reason"] == ""
    assert "gradient" not in set(table["explainer"])
    assert np.isnan(row(table, "lime", "zero")["value"])


def test_a_metric_nobody_has_says_why_or_that_it_is_unknown() -> None:
    known = experiment(n=12)
    table = compare(known, FEW)
    missing = rows(table, task="reviews", metric="agreement")
    assert missing and all(each["reason"].startswith("the task has no human rationales") for each in missing)
    assert not any(np.isfinite(each["value"]) or each["best"] for each in missing)
    silent = rows(compare(replace(known, absences=()), FEW), task="reviews", metric="agreement")
    assert {each["reason"] for each in silent} == {UNKNOWN}


def test_undefined_values_are_no_number_and_no_crash() -> None:
    nothing = np.full(40, np.nan)
    some = values(0)
    some[:10] = np.nan
    table = compare(
        results(
            cell(Method("lime"), "agreement", nothing),
            cell(Method("saliency"), "agreement", some),
            cell(Method("occlusion"), "agreement", values(1)),
        ),
        FEW,
    )
    assert row(table, "lime")["reason"] == "undefined on these texts: none of the texts has a value"
    assert not row(table, "lime")["best"]
    assert row(table, "saliency")["value"] == pytest.approx(np.nanmean(some))


@dataclass(frozen=True)
class Correlation(MeanOf):
    """Spearman's of two distances, as rationale consistency."""

    name: str = "agreement"

    def summarise(self, parts: dict[str, np.ndarray], index: np.ndarray) -> np.ndarray:
        return distance_correlation(parts, "explanation_distance", index)


@pytest.mark.parametrize(
    ("distances", "reason"),
    [
        ([0.5] * 8, "all texts have the same explanation distance"),
        ([0.1, 0.2, 0.3, 0.1, 0.2, 0.5, 0.1, 0.7], None),
    ],
)
def test_why_a_correlation_is_undefined(distances: list[float], reason: str | None) -> None:
    parts = {
        "activation_distance": np.arange(8.0)[:, None],
        "explanation_distance": np.array(distances)[:, None],
    }
    units = tuple(f"text-{place}" for place in range(8))
    measured = CellScores(Group("planted", "cnn"), Method("gold"), "agreement", "0", units, parts)
    found = row(compare(results(measured, metrics=(cast(Metric, Correlation()),)), FEW), "gold")
    whole = "" if reason is None else f"undefined on these texts: {reason}"
    assert found["reason"] == whole and np.isnan(found["value"]) == (reason is not None)


def test_texts_without_marked_words_are_the_reason() -> None:
    metric = cast(Metric, MeanOf(needs=frozenset({"rationales"})))
    parts = {"no_rationale": np.ones((3, 1))}
    measured = CellScores(Group("planted", "cnn"), Method("lime"), "agreement", "0", ("a", "b", "c"), parts)
    reason = "none has a marked word among those that the model reads"
    assert why_undefined([measured], metric) == f"undefined on these texts: {reason}"
    one = cell(Method("lime"), "agreement", np.array([0.3]))
    assert why_undefined([one], metric).endswith("only one of the texts has a value")


def test_a_seed_without_a_value_is_left_out_of_the_mean() -> None:
    table = compare(
        results(
            cell(Method("lime"), "agreement", values(0), seed="0"),
            cell(Method("lime"), "agreement", np.full(40, np.nan), seed="1"),
        ),
        FEW,
    )
    found = row(table, "lime")
    assert found["n_seeds"] == 1
    assert found["value"] == pytest.approx(values(0).mean())
    assert np.isfinite(found["low"])


def test_one_explainer_one_seed_one_unit() -> None:
    found = row(compare(results(cell(Method("lime"), "agreement", np.array([0.3]))), FEW), "lime")
    # One text says nothing about others: there is a value, but no interval.
    assert found["value"] == 0.3 and np.isnan([found["low"], found["high"], found["seed_deviation"]]).all()
    assert not found["best"]


def test_on_one_text_nobody_is_worse_than_the_best() -> None:
    two = [cell(Method(name), "agreement", np.array([v])) for name, v in (("lime", 0.3), ("saliency", 0.9))]
    found = rows(compare(results(*two), FEW))
    # Nothing is tested on one text.
    assert all(np.isnan(each["p"]) and not each["best"] for each in found)
    assert [each["no_best"] for each in found] == ["1 text with a value, fewer than 10"] * 2


@pytest.mark.parametrize(("texts", "told"), [(10, False), (14, True)])
def test_who_is_best_is_said_from_the_number_of_texts_on_that_can_tell(texts: int, told: bool) -> None:
    # Of eight explainers, 28 pairs, one is better on every text: with ten, 2 of 1,024 swaps are as extreme.
    ahead = np.linspace(0.5, 0.6, texts)
    eight = [cell(Method(f"e{k}"), "agreement", ahead - 0.3 * (k > 0)) for k in range(8)]
    table = compare(results(*eight), FEW)
    assert [each["best"] for each in rows(table)] == [told, *[False] * 7]
    assert all((each["no_best"] == "") == told for each in rows(table))


def test_texts_without_a_value_do_not_count() -> None:
    first = np.where(np.arange(40) < 12, values(0), np.nan)
    many = [cell(Method(f"e{k}"), "agreement", first - 0.001 * k) for k in range(25)]
    assert "(12 texts, 300 pairs" in row(compare(results(*many), FEW), "e0")["no_best"]


@pytest.mark.parametrize(("texts", "enough"), [(9, False), (10, True)])
def test_fewer_than_ten_texts_have_no_interval_and_no_star(texts: int, enough: bool) -> None:
    some = np.where(np.arange(40) < texts, values(0), np.nan)
    methods = [
        cell(Method("lime"), "agreement", values(0)),
        cell(Method("saliency"), "agreement", values(0) - 0.3),
        cell(Method("occlusion"), "agreement", some + 0.3),
    ]
    table = compare(results(*methods), FEW)
    found = row(table, "occlusion")
    assert found["value"] == pytest.approx(np.nanmean(some) + 0.3) and found["n_texts"] == texts
    assert np.isfinite([found["low"], found["high"], found["p"]]).all() == enough
    assert (found["interval"] != "") == enough == bool(found["best"])
    assert ("9 texts with a value, fewer than 10" in found["interval_note"]) != enough
    # The others are compared with each other.
    assert row(table, "lime")["best"] != enough and row(table, "lime")["n_texts"] == 40
    assert row(table, "lime")["no_best"] == "" and np.isfinite(row(table, "saliency")["p"])


def test_the_seed_with_fewest_texts_counts() -> None:
    half = np.where(np.arange(40) < 20, values(1), np.nan)
    two = [cell(Method("lime"), "agreement", values(0)), cell(Method("lime"), "agreement", half, seed="1")]
    found = row(compare(results(*two), FEW), "lime")
    assert (found["n_texts"], found["n_units"], found["n_seeds"]) == (20, 80, 2)


def test_many_explainers_need_more_texts() -> None:
    # 25 of them are 300 pairs, of which the first to be told apart needs a p of 0.05 / 300.
    def found(texts: int) -> str:
        ahead = np.linspace(0.5, 0.6, texts)
        many = [cell(Method(f"e{k}"), "agreement", ahead - 0.01 * k) for k in range(25)]
        return row(compare(results(*many), FEW), "e0")["no_best"]

    assert found(12) == "too few texts to tell explainers apart (12 texts, 300 pairs of explainers)"
    assert found(14) == ""


def test_where_nothing_is_better_than_random_nobody_is_best() -> None:
    noise = {name: values(seed) for seed, name in enumerate(("lime", "saliency", "random"))}
    cells = [cell(Method(name), "agreement", noise[name]) for name in noise]
    table = compare(results(*cells), FEW)
    assert not any(each["best"] for each in rows(table))
    assert row(table, "lime")["no_best"] == "no explainer is better than the random control"
    assert row(table, "random")["no_best"] == ""
    better = [*cells[1:], cell(Method("lime"), "agreement", np.clip(noise["random"] + 0.2, 0, 2))]
    table = compare(results(*better), FEW)
    assert [row(table, name)["best"] for name in ("lime", "saliency")] == [True, False]
    assert row(table, "lime")["no_best"] == ""


def test_who_is_better_than_random_is_said_as_plainly() -> None:
    noise = values(7)
    level = {"lime": 0.2, "occlusion": 0.15, "saliency": 0.0, "random": 0.0, "gold": 0.9}
    jitter = {name: 0.02 * np.random.default_rng(seed).normal(size=40) for seed, name in enumerate(level)}

    def said(*names: str, metric: Metric = AGREEMENT, n: int = 40) -> tuple[list[str], str]:
        cells = [cell(Method(name), "agreement", (noise + level[name] + jitter[name])[:n]) for name in names]
        known = replace(results(*cells), metrics=(metric,))
        table = compare(known, FEW)
        (grid,) = grids(table, known.metrics)
        better = [str(each["explainer"]) for each in rows(table) if each["better_than_random"]]
        return better, " ".join(remark for remark in grid.remarks if "better than" in remark)

    title = "Human agreement: better than random"
    assert said(*level) == (["lime", "occlusion"], f"{title}: lime, occlusion")
    assert said("lime", "occlusion", "random") == (["lime", "occlusion"], f"{title}: all explainers")
    assert said("lime", "random") == (["lime"], f"{title}: all explainers")
    # Random, the lowest, is the best by a metric of which less is better.
    lower = cast(Metric, replace(MEAN, direction="lower"))
    none = "Human agreement: no explainer is better than the random control; none is called best"
    assert said("lime", "occlusion", "random", metric=lower) == ([], none)
    # Nothing is said without the control, on costs, and on few texts.
    assert said("lime", "occlusion", "gold") == ([], "")
    assert said(*level, metric=cast(Metric, replace(MEAN, property="compute time"))) == ([], "")
    assert said(*level, n=9) == ([], "")


def test_rows_of_a_masked_language_model_stand_apart() -> None:
    def spent(name: str, seed: str, *mlm: float) -> CellScores:
        parts = {"passes": np.array([[2.0], [3.0], [4.0], [np.nan]])}
        parts["value"] = parts["passes"]
        units = ("a", "b", "c", "left out")
        if mlm:
            parts["mlm_rows"] = np.array([[each] for each in (*mlm, np.nan)])
        return CellScores(Group("planted", "cnn"), Method(name, "mlm"), "cost", seed, units, parts)

    cost = cast(Metric, MeanOf("cost", "Model passes", "compute time", "lower", (0.0, float("inf"))))
    # A shard of texts that need none stores none.
    cells = [spent("lime", "0", 60, 30, np.nan), spent("lime", "1", 30, 30, 30), spent("saliency", "0")]
    known = replace(results(*cells), metrics=(cost,))
    table = compare(known, FEW)
    assert row(table, "lime", "mlm")["mlm_rows"] == 30 and row(table, "lime", "mlm")["value"] == 3
    assert row(table, "saliency", "mlm")["mlm_rows"] == 0
    (grid,) = grids(table, known.metrics)
    assert ["¶" in each.entries[0].mark for each in grid.rows] == [True, False]
    assert "¶ and rows of a masked language model, per text: lime (mlm) 30" in grid.remarks


def test_the_best_of_many_that_differ_by_luck_is_better_than_random_in_few_tables() -> None:
    names = [*(f"e{k}" for k in range(12)), "random"]
    stars = 0
    for seed in range(200):
        drawn = np.random.default_rng(seed).normal(size=(len(names), 60))
        cells = [cell(Method(name), "agreement", each) for name, each in zip(names, drawn, strict=True)]
        found = estimate(cells, AGREEMENT, Bootstrap(n=400, seed=seed))
        estimates = [found[Method(name)][0] for name in names]
        stars += any(better_than(estimates[-1], estimates[:-1], AGREEMENT, 0.95))
        alone = [is_better(one, estimates[-1], AGREEMENT, 0.95) for one in estimates[:1]]
        assert better_than(estimates[-1], estimates[:1], AGREEMENT, 0.95) == alone
    # One in forty is promised; each tested as if it had been fixed before gives 32 of 200.
    assert stars <= 12


def test_a_random_control_on_few_texts_is_no_level() -> None:
    some = np.where(np.arange(40) < 9, values(2) + 3, np.nan)
    cells = [
        cell(Method("lime"), "agreement", values(0) + 0.3),
        cell(Method("saliency"), "agreement", values(0)),
        cell(Method("random"), "agreement", some),
    ]
    assert row(compare(results(*cells), FEW), "lime")["no_best"] == ""


def heuristic(name: str = "rare_words", value: np.ndarray | None = None) -> CellScores:
    """The cell of a heuristic control."""
    return cell(Method(name), "agreement", values(9) / 2 if value is None else value)


def against(*cells: CellScores, heuristics: tuple[str, ...] = ("rare_words",), **about: Any) -> pd.DataFrame:
    """The comparison with heuristic controls, which are controls."""
    controls = frozenset({*CONTROLS, *heuristics})
    return compare(results(*cells, heuristics=heuristics, controls=controls, **about), FEW)


def test_an_explainer_that_does_not_beat_a_heuristic_on_human_agreement_is_named() -> None:
    level = values(9) / 2
    noise = np.random.default_rng(1).normal(0, 0.05, 40)
    gaps = {"better": 0.2 + noise, "equal": 0 * noise, "alike": noise, "worse": noise - 0.2}
    cells = [cell(Method(name, "mask"), "agreement", level + gap) for name, gap in gaps.items()]
    table = against(*cells, heuristic())
    found = {name: row(table, name, "mask")["not_better"] for name in gaps}
    assert found == {"better": "", "equal": "rare_words", "alike": "rare_words", "worse": "rare_words"}
    control = row(table, "rare_words")
    assert control["control"] and not control["best"] and control["not_better"] == ""
    assert np.isnan(control["p"])
    # The control changes nothing else.
    alone = compare(results(*cells), FEW)
    assert [row(alone, name, "mask")["p"] for name in gaps] == [
        row(table, name, "mask")["p"] for name in gaps
    ]
    assert [each["not_better"] for each in rows(alone)] == [""] * 4


def test_every_heuristic_is_compared_and_other_controls_are_not() -> None:
    level = values(9) / 2
    low = cell(Method("first_words"), "agreement", level - 0.4)
    random = cell(Method("random"), "agreement", level + 0.4)
    cells = [cell(Method("lime"), "agreement", level), heuristic(), low, random]
    table = against(*cells, heuristics=("rare_words", "first_words"))
    assert row(table, "lime")["not_better"] == "rare_words"
    both = [cell(Method("lime"), "agreement", level - 0.4), heuristic(), low]
    table = against(*both, heuristics=("rare_words", "first_words"))
    assert sorted(row(table, "lime")["not_better"].split(", ")) == ["first_words", "rare_words"]
    assert row(table, "rare_words")["not_better"] == ""


def test_other_properties_name_nobody_and_less_is_better_where_it_is() -> None:
    level = values(9) / 2
    lower = cast(Metric, MeanOf("agreement", "Distance", "human agreement", "lower"))
    cells = [cell(Method("lime"), "agreement", level - 0.2), heuristic()]
    assert row(against(*cells), "lime")["not_better"] == "rare_words"
    assert row(against(*cells, metrics=(lower,)), "lime")["not_better"] == ""
    other = cast(Metric, MeanOf("agreement", "Faithfulness", "faithfulness"))
    assert row(against(*cells, metrics=(other,)), "lime")["not_better"] == ""


def test_too_few_texts_show_nobody_to_be_better() -> None:
    def found(texts: int, explainers: int) -> set[str]:
        level = np.linspace(0.4, 0.5, texts)
        cells = [cell(Method(f"e{k}"), "agreement", level + 0.1 + k / 100) for k in range(explainers)]
        table = against(*cells, cell(Method("rare_words"), "agreement", level))
        return {row(table, f"e{k}")["not_better"] for k in range(explainers)}

    # Ahead on every text: two of 2^n swaps are as extreme, and Holm goes over all explainers.
    assert found(10, 80) == {"rare_words"} and found(16, 30) == {""}
    # On fewer than ten texts nobody is compared.
    assert found(9, 30) == {""}


def test_an_explainer_without_a_value_is_not_named() -> None:
    cells = [cell(Method("lime"), "agreement", np.full(40, np.nan)), heuristic()]
    assert row(against(*cells), "lime")["not_better"] == ""
    alone = [cell(Method("lime"), "agreement", values(9)), heuristic(value=np.full(40, np.nan))]
    assert row(against(*alone), "lime")["not_better"] == ""


def test_as_good_as_a_heuristic_is_named_nearly_always_and_clearly_better_never() -> None:
    """60 explainers equal to the control but for luck: at most 5 % may pass for better, by chance."""
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(30):
        level = rng.uniform(0, 1, 50)
        luck = [cell(Method(f"e{k}"), "agreement", level + rng.normal(0, 0.2, 50)) for k in range(2)]
        table = against(*luck, cell(Method("rare_words"), "agreement", level + rng.normal(0, 0.2, 50)))
        missed += sum(row(table, f"e{k}")["not_better"] == "" for k in range(2))
    assert missed <= 6


def test_nothing_is_cheaper_than_random_but_something_is_cheapest() -> None:
    cost = cast(Metric, MeanOf("cost", "Cost", "compute time", "lower", (0.0, float("inf"))))
    passes = {"lime": 100.0, "saliency": 3.0, "random": 0.0}
    cells = [cell(Method(name), "cost", np.full(30, value)) for name, value in passes.items()]
    table = compare(results(*cells, metrics=(cost,)), FEW)
    assert [row(table, name)["best"] for name in passes] == [False, True, False]


def test_counts_that_no_text_changes_have_one_best() -> None:
    passes = [
        cell(Method(name), "agreement", np.full(30, v)) for name, v in (("lime", 300.0), ("saliency", 301.0))
    ]
    assert [each["best"] for each in rows(compare(results(*passes), FEW))] == [False, True]


def test_a_cell_without_units() -> None:
    found = row(compare(results(cell(Method("lime"), "agreement", np.array([]))), FEW), "lime")
    assert np.isnan(found["value"]) and found["n_units"] == 0


def test_no_cells_at_all() -> None:
    table = compare(results(), FEW)
    assert len(table) == 0 and tuple(table.columns) == COLUMNS


def test_explainers_with_different_units_are_lined_up() -> None:
    short = CellScores(
        Group("planted", "cnn"),
        Method("lime"),
        "agreement",
        "0",
        ("b", "d"),
        {"value": np.array([[1.0], [2.0]])},
    )
    found = aligned(short, ["a", "b", "c", "d"])["value"][:, 0]
    np.testing.assert_array_equal(found, [np.nan, 1.0, np.nan, 2.0])


def test_pairs_of_trained_and_untrained_models_are_a_group_of_their_own() -> None:
    mixed = cell(Method("lime"), "agreement", values(0), seed="0-1", group=Group("planted", "cnn", "mixed"))
    table = compare(results(cell(Method("lime"), "agreement", values(1)), mixed), FEW)
    assert table["kind"].tolist() == ["trained", "mixed"]
    assert table["value"].tolist() == pytest.approx([values(1).mean(), values(0).mean()])


def test_the_seed_of_the_bootstrap_changes_intervals_only() -> None:
    known = results(cell(Method("lime"), "agreement", values(0)))
    one, two = (row(compare(known, Bootstrap(n=200, seed=seed)), "lime") for seed in (0, 1))
    assert one["value"] == two["value"] and one["low"] != two["low"]


@dataclass(frozen=True)
class Largest(MeanOf):
    """A mean to the table, declared an extreme."""

    extreme: ClassVar[bool] = True


def test_an_extreme_has_a_value_but_no_interval_and_no_best_group() -> None:
    largest = cast(Metric, Largest())
    found = compare(replace(experiment(n=20), metrics=(largest,)), FEW)
    known = [each for each in rows(found) if np.isfinite(each["value"])]
    assert known
    assert all(np.isnan(each["low"]) and np.isnan(each["high"]) and not each["best"] for each in known)
    assert all("extreme" in each["interval_note"] for each in known)
    assert all(("extreme" in each["no_best"]) != each["control"] for each in known)


def test_one_explainer_alone_says_that_there_is_nothing_to_compare_it_with() -> None:
    found = row(compare(results(cell(Method("lime"), "agreement", values(0))), FEW), "lime")
    assert not found["best"] and "only one explainer has a value" in found["no_best"]


def test_intervals_say_how_they_were_made() -> None:
    methods = [Method("lime"), Method("saliency")]
    for seeds, expected in ((1, "bca"), (2, "bca"), (3, "hierarchical")):
        cells = [
            cell(method, "agreement", values(10 * place + seed), seed=str(seed))
            for place, method in enumerate(methods)
            for seed in range(seeds)
        ]
        table = compare(results(*cells), FEW)
        assert table["interval"].tolist() == [expected] * 2
        assert table["interval_note"].tolist() == [""] * 2


def test_an_interval_over_models_is_wider_where_models_differ() -> None:
    shifts = (-0.2, 0.0, 0.2)
    three = [
        cell(Method("lime"), "agreement", np.clip(values(0) / 2 + 0.25 + shift, 0, 1), seed=str(place))
        for place, shift in enumerate(shifts)
    ]
    wide, narrow = row(compare(results(*three), FEW), "lime"), row(compare(results(*three[:2]), FEW), "lime")
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])
    # Student's t with two degrees of freedom would go below 0 and above 1.
    assert 0.0 <= wide["low"] < wide["value"] < wide["high"] <= 1.0


def test_three_pairs_of_two_models_are_no_three_models() -> None:
    mixed = Group("planted", "cnn", "mixed")
    two = [
        cell(Method("lime"), "agreement", values(k), seed=s, group=mixed)
        for k, s in enumerate(("0-0", "0-1", "1-0", "1-1"))
    ]
    assert row(compare(results(*two), FEW), "lime")["interval"] == "bca"
    three = [
        cell(Method("lime"), "agreement", values(k), seed=s) for k, s in enumerate(("0-1", "0-2", "1-2"))
    ]
    assert row(compare(results(*three), FEW), "lime")["interval"] == "hierarchical"


def test_where_there_is_no_bca_interval_the_table_says_why() -> None:
    same = row(compare(results(cell(Method("lime"), "agreement", np.full(30, 0.5))), FEW), "lime")
    assert (same["low"], same["high"]) == (0.5, 0.5)
    assert same["interval"] == "percentile"
    assert str(same["interval_note"]).startswith("the value stays the same whichever text is left out")
    lonely = row(compare(results(cell(Method("lime"), "agreement", np.array([0.3]))), FEW), "lime")
    assert (lonely["interval"], lonely["interval_note"]) == ("", "1 text with a value, fewer than 10")


def test_p_is_of_the_difference_from_the_best() -> None:
    texts = values(0) / 2
    shifts = {"lime": 0.3, "saliency": 0.3, "occlusion": 0.0, "random": -0.1}
    noise = np.random.default_rng(5).normal(0, 0.01, (4, 40))
    cells = [
        cell(Method(name), "agreement", texts + shift + noise[place])
        for place, (name, shift) in enumerate(shifts.items())
    ]
    table = compare(results(*cells), FEW)
    p = {name: row(table, name)["p"] for name in shifts}
    assert max(p["lime"], p["saliency"]) == 1.0 and min(p["lime"], p["saliency"]) > 0.05
    assert p["occlusion"] < 0.001 and np.isnan(p["random"])
    assert [row(table, name)["best"] for name in shifts] == [True, True, False, False]


def test_the_group_holds_explainers_that_swap_texts_without_consequence() -> None:
    """Twelve explainers that do not differ: hardly ever is one of them told apart."""
    rng = np.random.default_rng(6)
    told_apart = 0
    for _ in range(30):
        texts = rng.lognormal(size=40)
        cells = [cell(Method(f"m{k:02d}"), "agreement", texts * rng.lognormal(size=40)) for k in range(12)]
        found = compare(results(*cells), Bootstrap(n=20))
        told_apart += not all(found["best"])
    assert told_apart <= 6


def test_a_value_without_a_known_error_is_not_better_for_certain() -> None:
    def found(value: float, replicates: np.ndarray) -> Estimate:
        return Estimate({"0": value}, {"0": replicates})

    rng = np.random.default_rng(0)
    random = found(0.0, 0.1 * rng.normal(size=400))
    undefined, ahead = found(0.5, np.full(400, np.nan)), found(0.6, 0.6 + 0.1 * rng.normal(size=400))
    fixed = found(0.5, np.full(400, 0.5))
    assert not is_better(undefined, random, AGREEMENT, 0.95) and is_better(ahead, random, AGREEMENT, 0.95)
    assert better_than(random, [undefined], AGREEMENT, 0.95) == [False]
    assert better_than(random, [undefined, ahead], AGREEMENT, 0.95) == [False, True]
    assert better_than(found(0.0, np.zeros(400)), [fixed, undefined], AGREEMENT, 0.95) == [True, False]
