"""No sentence of a recommendation is surer than its numbers: all combinations of conditions are walked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import pytest

from assay.results.recommendation.recommendation import Change, PropertyVerdict, Ranked, Recommendation
from assay.results.recommendation.sentences import Sentence, sentences
from assay.results.recommendation.templates import REFUSALS, TEMPLATES
from assay.results.records import Group, Method

A, B, C = Method("occlusion", "mask"), Method("saliency"), Method("lime", "mask")
NAN = float("nan")
TRUTH = {"faithfulness", "human agreement"}


def verdict(
    name: str,
    p: dict[Method, float],
    better: tuple[Method, ...],
    sharing: tuple[Method, ...],
    note: str,
    few: tuple[Method, ...] = (),
) -> PropertyVerdict:
    """Of one metric, as `recommend` makes it."""
    operator = "mask" if name == "faithfulness" else ""
    best = () if note else tuple(method for method in p if p[method] > 0.05)
    return PropertyVerdict(name, name, operator, 0.5, best, p, better, sharing, True, note, few=few)


def walk() -> Iterator[Recommendation]:
    """Every combination of who is recommended, worse, better than random, sharing an operator, cheaper,
    and measured on few texts."""
    groups = ((A,), (B,), (A, B), (B, C, A))
    for group, low, ahead, sharing, note, costs, few in product(
        groups,
        product((False, True), repeat=3),
        ((), (A,), (A, B, C)),
        ((), (A, C)),
        ("", "few"),
        (1.0, 40.0),
        ((), (B, C)),
    ):
        p = {method: 0.01 if is_low else 0.5 for method, is_low in zip((A, B, C), low, strict=True)}
        beats = {
            method: ("faithfulness",) if method in ahead and method not in sharing else ()
            for method in (A, B, C)
        }
        if not any(beats[method] for method in group):
            continue
        used = tuple(method for method in group if beats[method])
        ranking = tuple(
            Ranked(
                method,
                0.5,
                0.4,
                0.6,
                0.4 if method in group else 0.01,
                method in used,
                0.3,
                beats[method],
                rows,
            )
            for method, rows in zip((A, B, C), (10.0, 10.0 * costs, NAN), strict=True)
        )
        yield Recommendation(
            Group("task", "model"),
            "",
            used,
            ranking=ranking,
            properties=(
                verdict("faithfulness", p, ahead, sharing, note),
                verdict("dataset consistency", dict.fromkeys((A, B, C), 0.5), (), (), "", few),
            ),
            changes=(Change("latency", "", (C,)), Change("", "mask", (A, B))),
            more_texts={} if len(used) < 2 else {used[1]: 100},
            constant={A: "12 of 60 texts"} if A in used else {},
            texts=60,
            models=1,
            latency="as a test",
            unshown=tuple(method for method in group if not beats[method]),
        )


def methods_in(text: str) -> list[Method]:
    """The methods that a sentence names."""
    return [method for method in (A, B, C) if re.search(rf"\b{method.explainer}\b", text)]


def is_permitted(one: Sentence, found: Recommendation) -> bool:
    """Whether the numbers say what the sentence says, from the numbers alone."""
    said = methods_in(one.text)
    ranked = {each.method: each for each in found.ranking}
    of = {each.property: each for each in found.properties}
    faithful = of["faithfulness"]

    def group_only() -> bool:
        return set(said) == set(found.methods)

    checks: dict[str, Callable[[], bool]] = {
        "use only": lambda: group_only() and len(ranked) == 1,
        "use one": lambda: (
            group_only() and all(each.p <= 0.05 for method, each in ranked.items() if method not in said)
        ),
        "use any": lambda: (
            group_only()
            and len(said) > 1
            and all(ranked[method].p > 0.05 for method in said)
            and all(each.p <= 0.05 for method, each in ranked.items() if method not in said)
        ),
        "use shown": lambda: (
            {*said} == {m for m, each in ranked.items() if each.p > 0.05 and each.beats_random}
            and any(each.p > 0.05 and not each.beats_random for each in ranked.values())
        ),
        "best, not shown": lambda: (
            {*said} == {m for m, each in ranked.items() if each.p > 0.05 and not each.beats_random}
        ),
        "use judged": lambda: (
            found.refused == "one operator"
            and {*said} == {m for m in found.methods if m not in found.unjudged and ranked[m].beats_random}
            and all(ranked[method].p > 0.05 for method in said)
        ),
        "worse": lambda: {*said} == {m for m, each in ranked.items() if each.p <= 0.05},
        "few texts": lambda: all(({*of[name].few} == {*said}) is (name in one.text) for name in of),
        "beats": lambda: (
            "faithfulness" in one.text
            and all(method in faithful.better and method not in faithful.sharing for method in said)
        ),
        "not shown": lambda: all(not ranked[method].beats_random for method in said),
        "alike": lambda: (
            len(said) > 1
            and all(of[name].p[m] > 0.05 and of[name].best for name in of if name in one.text for m in said)
        ),
        "best on": lambda: (
            said == list(found.methods)
            and "dataset consistency" not in one.text
            and faithful.p[said[0]] > 0.05
            and min(faithful.p.values()) <= 0.05
            and said[0] not in faithful.sharing
            and bool(faithful.best)
        ),
        "worse on": lambda: (
            "faithfulness" in one.text
            and faithful.p[said[0]] <= 0.05
            and bool(faithful.best)
            and (said[0] in faithful.sharing or not {*faithful.best} & {*faithful.sharing})
        ),
        "no better": lambda: all(not of[name].better for name in of if name in one.text),
        "cheaper": lambda: "40 times" in one.text and ranked[B].rows == 40 * ranked[A].rows,
        "constant": lambda: said == [A] and "12 of 60" in one.text,
        "weights": lambda: "30 %" in one.text and ranked[said[0]].first == 0.3,
        "more texts": lambda: {*said} == {*found.methods[:2]} and "100 more" in one.text,
        "without": lambda: "latency" in one.text and said == [C],
        "by operator": lambda: "By mask" in one.text and said == [A, B],
        "latency": lambda: bool(found.latency) and "upper 95 %" in one.text,
        "scope": lambda: "60 and 1 model" in one.text,
    }
    return checks[one.key]()


def test_no_combination_says_more_than_its_numbers() -> None:
    seen: set[str] = set()
    for found in walk():
        for one in sentences(found):
            assert is_permitted(one, found), (one, found)
            seen.add(one.key)
    # Each is said somewhere, so that each is checked; these stand in tests of their own.
    assert seen == {*TEMPLATES} - {*REFUSALS} - {"use only", "use judged", "not shown"}


def refused_as(key: str, found: Recommendation, unjudged: tuple[Method, ...] = ()) -> Recommendation:
    """The same numbers, refused; then all of the best stand together."""
    methods = tuple(sorted((*found.methods, *found.unshown), key=lambda one: not _beats(found, one)))
    few = "too few texts to tell explainers apart (12 texts, 435 pairs of explainers)"
    too_few = few if key == "too few texts" else ""
    return replace(
        found, refused=key, methods=methods, unshown=(), unjudged=unjudged, too_few=too_few, more_texts={}
    )


def _beats(found: Recommendation, method: Method) -> bool:
    return any(one.method == method and one.beats_random for one in found.ranking)


@pytest.mark.parametrize("key", REFUSALS)
def test_a_refusal_recommends_nothing(key: str) -> None:
    for found in islice(walk(), 0, None, 50):
        said = sentences(refused_as(key, found, (A,)))
        assert [one.key for one in said if one.key in REFUSALS] == [key] and said[0].key == key
        assert not any(one.text.startswith("Use ") or one.key in ("beats", "best on") for one in said)
        assert ("12 texts, 435 pairs" in said[0].text) == (key == "too few texts")


def test_where_one_operator_does_not_judge_some_the_others_are_recommended() -> None:
    seen: set[str] = set()
    for found in walk():
        for unjudged in ((A,), (B,), (A, C)):
            refused = refused_as("one operator", found, unjudged)
            if {*unjudged} <= {*refused.methods}:
                said = sentences(refused)
                assert {*methods_in(said[0].text)} == {*unjudged}
                told = [one for one in said if one.key in ("use judged", "not shown")]
                assert all(is_permitted(one, refused) for one in told)
                of_told = [method for one in told for method in methods_in(one.text)]
                assert sorted(of_told) == sorted({*refused.methods} - {*unjudged})
                seen |= {one.key for one in told}
    assert seen == {"use judged", "not shown"}


def test_one_alone_is_not_called_better() -> None:
    ranked = Ranked(B, 1.0, 0.9, 1.1, NAN, True, NAN, ("faithfulness",), NAN)
    found = Recommendation(Group("task", "model"), "", (B,), ranking=(ranked,), texts=20, models=2)
    assert [one.text for one in sentences(found)] == [
        "Use saliency, the only one that is compared.",
        "saliency beats random on faithfulness.",
        "This is about texts like these 20 and 2 models; anything else was not measured.",
    ]


def test_what_has_no_number_is_not_said() -> None:
    first, second = (Ranked(m, 1.0, 0.9, 1.1, 0.9, True, NAN, (), rows) for m, rows in ((A, 0.0), (B, 7.0)))
    found = Recommendation(Group("task", "model"), "", (A, B), ranking=(first, second), more_texts={})
    said = [one.key for one in sentences(found)]
    assert not {"cheaper", "weights", "more texts", "latency", "scope", "best on", "alike"} & {*said}
    assert math.isnan(first.first)


def test_the_page_lists_each_sentence_beside_what_permits_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recommend.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    listed = {row[0]: row[1] for row in rows if len(row) == 2}
    assert {
        one.words.replace("|", "\\|"): one.permitted_by for one in TEMPLATES.values()
    }.items() <= listed.items()
