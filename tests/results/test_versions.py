"""What moved between two versions: which texts are paired, what seeds are worth, and what conditions say."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from results_synthetic import AGREEMENT, MeanOf
from scipy.stats import ttest_ind, ttest_rel

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Group, Method
from assay.results.statistics.estimates import Bootstrap
from assay.results.versions.changes import changes
from assay.results.versions.conditions import check_metrics, condition, judge, status
from assay.results.versions.drift import (
    CONSTANT,
    OTHER_CLASS,
    OTHER_TOKENS,
    Scores,
    between,
    drift_row,
    most_moved,
)
from assay.results.versions.matching import matched, matched_seeds, pairing
from assay.results.versions.records import AGAIN, BETTER, THESE, UNMOVED, UNTOLD, WORSE, ChangeRow, Version
from assay.results.versions.text import changes_table, comparison_json, comparison_text
from assay.tasks.errors import InputError

GROUP, LIME = Group("reviews", "cnn"), Method("lime", "mask")
N = 60
RNG = np.random.default_rng(0)
TEXTS = 0.5 + 0.1 * RNG.normal(size=N)
COST = cast(Metric, MeanOf("cost", "Cost", "compute time", "lower", (0.0, float("inf"))))
METRICS = {"agreement": cast(Metric, AGREEMENT), "cost": COST}


def version(
    values: Sequence[NDArray[np.float64]],
    *,
    name: str = "A",
    metric: str = "agreement",
    weights: str = "",
    group: Group = GROUP,
    known: bool = True,
    words: str = "text",
) -> Version:
    """One method by one metric; values: of each model seed."""
    units = tuple(f"{place:03d}" for place in range(N))
    cells = [
        CellScores(group, LIME, metric, str(seed), units, {"value": of_seed[:, None]})
        for seed, of_seed in enumerate(values)
    ]
    texts = {group.task: {unit: f"{words} {unit}" for unit in units}} if known else {}
    hashes = {(group, str(seed)): f"{weights}{seed}" for seed in range(len(values))} if weights else {}
    return Version(name, cells, METRICS, texts=texts, weights=hashes)


def models(shifts: Sequence[float], noise: float = 0.02) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(len(shifts))
    return [TEXTS + shift + noise * rng.normal(size=N) for shift in shifts]


def only(a: Version, b: Version, *, these: bool = False) -> ChangeRow:
    (row,) = changes(a, b, Bootstrap(n=400), these_models=these).rows
    return row


def test_one_training_seed_of_each_is_not_called_a_difference() -> None:
    a, b = version(models([0.0])), version(models([0.3]), name="B")
    row = only(a, b)
    assert row.verdict == UNTOLD and math.isnan(row.p) and "--these-models" in row.note
    # Yet a test over texts would call it one, and does where that is asked.
    assert only(a, b, these=True).verdict == BETTER and only(a, b, these=True).about == THESE


def test_the_same_seeds_and_their_weights_are_paired_over_texts() -> None:
    a, b = models([0.0, 0.2, -0.2]), models([0.02, 0.22, -0.18])
    row = only(version(a, weights="w"), version(b, name="B", weights="w"))
    assert row.verdict == BETTER and row.about == THESE and row.texts == "paired"
    # Models that differ as much as these tell nothing, where they are not the same.
    other = only(version(a, weights="w"), version(b, name="B", weights="v"))
    assert other.verdict == UNMOVED and other.about == AGAIN


def test_a_difference_beyond_that_of_seeds_is_found_and_as_wide_as_students() -> None:
    a, b = models([0.0, 0.01, -0.01, 0.0]), models([0.2, 0.21, 0.19, 0.2])
    row = only(version(a), version(b, name="B"))
    means = [[float(of_seed.mean()) for of_seed in side] for side in (a, b)]
    # Welch's interval of the seeds' means: both versions move alike on every text.
    least = ttest_ind(means[1], means[0], equal_var=False).confidence_interval(0.95)
    assert row.verdict == BETTER and (row.low, row.high) == pytest.approx((least.low, least.high))
    wider = only(version(a), version([of_seed + 0.3 * RNG.normal(size=N) for of_seed in b], name="B"))
    assert wider.high - wider.low > 1.5 * (row.high - row.low)
    worse = only(version(b), version(a, name="B"))
    assert worse.verdict == WORSE and worse.difference == -row.difference


def test_the_spread_of_the_version_with_several_seeds_serves_for_a_single_one() -> None:
    spread = [0.0, 0.05, -0.05, 0.02]
    row = only(version(models(spread)), version(models([0.02]), name="B"))
    assert row.verdict == UNMOVED and "other version" in row.note
    assert only(version(models(spread)), version(models([0.9]), name="B")).verdict == BETTER
    assert only(version(models([0.0, 0.1])), version(models([0.9]), name="B")).verdict == UNTOLD


def test_lower_is_better_where_the_metric_says_so() -> None:
    low, high = models([0.0, 0.0, 0.0]), models([0.3, 0.3, 0.3])
    assert only(version(low, metric="cost"), version(high, name="B", metric="cost")).verdict == WORSE


def test_texts_are_paired_only_where_ids_and_texts_are_the_same() -> None:
    a = version(models([0.0], noise=0.01), weights="w")
    shifted = [TEXTS + 0.01 + 0.01 * np.random.default_rng(9).normal(size=N)]
    same = only(a, version(shifted, name="B", weights="w"))
    p = float(ttest_rel(shifted[0], models([0.0], noise=0.01)[0]).pvalue)
    assert same.texts == "paired" and same.verdict == BETTER and p < 0.001
    for words, known in (("another", True), ("text", False)):
        row = only(a, version(shifted, name="B", weights="w", words=words, known=known))
        assert row.texts == "unpaired" and row.verdict == UNMOVED
        assert row.high - row.low > 3 * (same.high - same.low)
    moved = replace(a, texts={"reviews": {**a.texts["reviews"], "007": "changed"}})
    assert pairing(a, moved, "reviews", "reviews").shared is None
    assert "'007'" in pairing(a, moved, "reviews", "reviews").why


def test_texts_that_hang_together_are_drawn_as_one() -> None:
    rng = np.random.default_rng(4)
    of_cluster = np.repeat(rng.normal(size=12), 5)
    a = version([TEXTS], weights="w")
    b = version([TEXTS + 0.05 * of_cluster], name="B", weights="w")
    clusters = {"reviews": {f"{place:03d}": f"d{place // 5}" for place in range(N)}}
    alone, together = only(a, b), only(replace(a, clusters=clusters), replace(b, clusters=clusters))
    assert together.high - together.low > 1.6 * (alone.high - alone.low)


def test_seeds_that_left_the_same_weights_are_one_model() -> None:
    a = version(models([0.0, 0.0, 0.0]))
    finished = replace(a, weights={(GROUP, str(seed)): "same" for seed in range(3)})
    seeds = matched_seeds(finished, version(models([0.0]), weights="w"), GROUP, GROUP, these_models=False)
    assert list(seeds.one) == ["0"] and not seeds.same


def test_an_explainer_trained_once_tells_nothing_of_one_draw() -> None:
    a, b = version(models([0.0]), weights="w"), version(models([0.3]), name="B", weights="w")
    assert only(a, b).verdict == BETTER
    assert only(replace(a, trained=frozenset({"lime"})), b).verdict == UNTOLD


def test_too_few_texts_have_no_test() -> None:
    a = version(models([0.0]), weights="w")
    few = [np.where(np.arange(N) < 9, of_seed, np.nan) for of_seed in models([0.3])]
    row = only(a, version(few, name="B", weights="w"))
    assert row.verdict == UNTOLD and "fewer than 10" in row.note


def test_groups_are_matched_by_name_or_are_the_only_ones() -> None:
    one, other = Group("reviews", "m[path=v1]"), Group("reviews", "m[path=v2]")
    a, b = version(models([0.0]), group=one), version(models([0.0]), group=other)
    assert matched(a, b) == [(one, other)]
    several = replace(a, cells=[*a.cells, *version(models([0.0]), group=Group("t", "x")).cells])
    with pytest.raises(InputError, match="NAME@MODEL"):
        matched(several, b)


def test_different_tasks_are_refused() -> None:
    a = version(models([0.0]))
    other = version(models([0.3]), name="B", group=Group("tweets", "cnn"), words="tweet")
    said = (
        "different tasks cannot be compared: 'A' has 'reviews', 'B' has 'tweets'; choose two runs of one task"
    )
    # Nor are tables, of which no text is known.
    for second in (other, replace(other, texts={})):
        with pytest.raises(InputError) as caught:
            changes(a, second, Bootstrap(n=100), these_models=True)
        assert str(caught.value) == said
    # Under another name, too, the same texts are one task.
    renamed = version(models([0.3]), name="B", group=Group("tweets", "cnn"))
    assert matched(a, renamed) == [(GROUP, Group("tweets", "cnn"))]
    # Under one name, other labels are another task; their order is none.
    of_a = replace(a, labels={"reviews": ("bad", "good")})
    matched(of_a, replace(a, labels={"reviews": ("good", "bad")}))
    with pytest.raises(InputError, match=r"'reviews' with the labels 'bad', 'good', .* 'joy', 'anger'"):
        matched(of_a, replace(a, labels={"reviews": ("joy", "anger")}))


def test_each_change_says_how_many_shared_texts_it_rests_on() -> None:
    a, b = models([0.0]), models([0.3])
    a[0][:5], b[0][3:12] = np.nan, np.nan
    paired = only(version(a, weights="w"), version(b, name="B", weights="w"))
    assert (paired.texts, paired.n_texts, paired.shared_texts) == ("paired", 51, 48)
    apart = only(version(a, weights="w"), version(b, name="B", weights="w", known=False))
    assert (apart.texts, apart.n_texts, apart.shared_texts) == ("unpaired", 51, 0)
    shown = comparison_text(("a", "b"), [paired, apart], [], [], [], [])
    assert "48 shared" in shown and "51, none shared" in shown
    told = json.loads(comparison_json(("a", "b"), [paired, apart], [], [], [], []))["changes"]
    assert [row["shared_texts"] for row in told] == [48, 0]
    assert changes_table([paired, apart])["shared_texts"].tolist() == [48, 0]


def test_the_agreement_of_a_constant_explanation_cannot_be_told() -> None:
    flat, rising = explanation([0.5, 0.5, 0.5]), explanation([1, 2, 3])
    for one, other in ((flat, flat), (flat, rising), (rising, flat)):
        found = between([({("x", 0): one}, {("x", 0): other})], frozenset("x"))
        assert not found.agreement and found.left_out == {CONSTANT: 1}
        row = drift_row((GROUP, GROUP), LIME, found, None, control=False)
        assert math.isnan(row.agreement) and row.n_texts == 0
        judged = judge(condition("agreement < 0.5"), [], [row])
        assert judged.holds is None and CONSTANT in judged.words
        assert "cannot be told" in comparison_text(("a", "b"), [ROW], [], [row], [], [])
        told = json.loads(comparison_json(("a", "b"), [ROW], [], [row], [], []))
        assert told["agreement"][0]["agreement"] is None
    # Of several classes, those that can be told count.
    pair = {("x", 0): flat, ("x", 1): rising}, {("x", 0): rising, ("x", 1): explanation([3, 2, 1])}
    assert between([pair], frozenset("x")).agreement == {"x": -1.0}
    known = drift_row((GROUP, GROUP), LIME, between([pair], frozenset("x")), None, control=False)
    judged = judge(condition("agreement < 0.5"), [], [known, replace(known, agreement=math.nan)])
    assert judged.holds is True and "1 cannot be told" in judged.words


def test_a_text_that_did_not_move_is_none_of_those_that_moved() -> None:
    rising, other = explanation(range(30)), explanation([1, 0, *range(2, 30)])
    same, near = {("x", 0): rising, ("y", 0): rising}, {("x", 0): rising, ("y", 0): other}
    found = between([(same, near)], frozenset("xy"))
    assert found.agreement["y"] < 1 and most_moved("t", [found], {}) == []
    row = drift_row((GROUP, GROUP), LIME, found, None, control=False)
    assert "No text's explanations moved" in comparison_text(("a", "b"), [ROW], [], [row], [], [])


def test_holm_goes_over_the_table_and_other_settings_are_left_out() -> None:
    a, b = version(models([0.0]), weights="w"), version(models([0.012]), name="B", weights="w")
    alone = only(a, b)
    cells = [replace(cell, method=Method(f"e{place}")) for cell in a.cells for place in range(30)]
    others = [replace(cell, method=Method(f"e{place}")) for cell in a.cells for place in range(30)]
    rows = changes(
        replace(a, cells=[*a.cells, *cells]), replace(b, cells=[*b.cells, *others]), Bootstrap(n=100)
    ).rows
    row = next(row for row in rows if row.explainer == "lime")
    assert row.p_holm == pytest.approx(min(1.0, 31 * row.p)) and alone.p_holm == alone.p
    with pytest.raises(InputError, match="other settings"):
        changes(
            replace(a, removals={"agreement": "mask"}), replace(b, removals={"agreement": "unk"}), Bootstrap()
        )
    with pytest.raises(InputError, match="other settings"):
        changes(replace(a, settings={"agreement": "x"}), replace(b, settings={"agreement": "y"}), Bootstrap())


def test_of_many_that_one_version_alone_has_a_few_are_named() -> None:
    a, b = version(models([0.0]), weights="w"), version(models([0.012]), name="B", weights="w")
    cells = [replace(cell, method=Method(f"e{place}")) for cell in a.cells for place in range(9)]
    notes = changes(replace(a, cells=[*a.cells, *cells]), b, Bootstrap(n=100)).notes
    (note,) = (note for note in notes if note.startswith("only in"))
    assert note == f"only in A: {', '.join(f'e{place} by agreement' for place in range(6))} and 3 others"


def explanation(scores: Sequence[float], tokens: bytes = b"t") -> Scores:
    return Scores(tokens, np.asarray(scores, dtype=np.float64))


def test_agreement_of_texts() -> None:
    a = {("x", 0): explanation([1, 2, 3]), ("y", 0): explanation([1, 2, 3]), ("z", 1): explanation([1, 2])}
    b = {("x", 0): explanation([10, 20, 30]), ("y", 0): explanation([3, 2, 1]), ("z", 0): explanation([1, 2])}
    found = between([(a, b)], frozenset("xyz"))
    assert found.agreement == {"x": 1.0, "y": -1.0} and found.left_out == {OTHER_CLASS: 1}
    cut = between([(a, {("x", 0): explanation([1, 2, 3], b"other")})], frozenset("x"))
    assert cut.left_out == {OTHER_TOKENS: 1} and not cut.agreement
    assert between([(a, b)], frozenset("x")).agreement == {"x": 1.0}
    assert [text.id for text in most_moved("t", [found], {"x": "a", "y": "b"}, 1)] == ["y"]


ROW = only(version(models([0.0, 0.0, 0.0])), version(models([-0.3, -0.3, -0.3]), name="B"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("agreement worse", True),
        ("agreement better", False),
        ("agreement moved", True),
        ("agreement < 0.5", True),
        ("agreement<-.5", False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    pair = {("x", 0): explanation([1, 2, 2])}, {("x", 0): explanation([1, 2, 0])}
    drift = drift_row((GROUP, GROUP), LIME, between([pair], frozenset("x")), None, control=False)
    judged = judge(condition(text), [ROW], [drift])
    assert judged.holds is holds and status([judged]) == int(holds)


def test_what_cannot_be_told_does_not_pass() -> None:
    untold = replace(ROW, verdict=UNTOLD, note="one seed")
    judged = judge(condition("agreement worse"), [untold], [])
    assert judged.holds is None and judged.words == "one seed" and status([judged]) == 2
    assert judge(condition("agreement < 0.5"), [], []).holds is None
    told = judge(condition("agreement worse"), [ROW], [])
    assert status([judged, told]) == 1
    # What moved of a control is no candidate's.
    assert judge(condition("agreement worse"), [replace(ROW, control=True), untold], []).holds is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("faithfulness worst", "did you mean 'worse'"),
        ("faithfulness", "expected"),
        ("agreement < lots", "between -1 and 1"),
        ("agreement < 80", "between -1 and 1"),
        ("agreement < nan", "between -1 and 1"),
        ("faithfulness < 0.8", "did you mean 'agreement < 0.8'"),
        ("agreement > 0.8", "did you mean|expected|available"),
        ("", "expected"),
        ("a worse and b worse", "expected"),
    ],
)
def test_a_condition_that_cannot_be_read(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        condition(text)


def test_a_condition_on_an_unknown_metric() -> None:
    with pytest.raises(InputError, match="did you mean 'faithfulness'"):
        check_metrics([condition("faithfulnes worse")], ["faithfulness"])


def test_texts_are_inert() -> None:
    found = between([({("x", 0): explanation([1, 2])}, {("x", 0): explanation([2, 1])})], frozenset("x"))
    texts = most_moved("t", [found], {"x": "red \x1b[31m\nnext"})
    shown = comparison_text(("a", "b"), [ROW], [], [], texts, [])
    assert "\x1b" not in shown and r"\x1b[31m next" in shown
    # Columns have heads, and metrics their direction: less agreement is worse.
    assert "Texts whose explanations moved most\n  agreement  text\n" in shown
    assert "agreement ↑" in shown and "↑ more is better, ↓ less is better" in shown
    content = json.loads(comparison_json(("a", "b"), [ROW], [], [], texts, []))
    assert (
        content["moved_texts"][0]["text"] == "red \x1b[31m\nnext"
        and content["changes"][0]["verdict"] == WORSE
    )
    assert "\x1b" not in comparison_json(("a", "b"), [ROW], [], [], texts, [])
