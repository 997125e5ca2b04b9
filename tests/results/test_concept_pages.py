"""Pages of concepts: every number is that of the cases, every text inert, every fault in one sentence."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from concept_cases import BASE, REST, case_of, cases, past, portfolio, small_task

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.bars import bars
from assay.results.concepts.case_page import case_page
from assay.results.concepts.cases import Case, PastCases, Portfolio
from assay.results.concepts.coloured_words import coloured, numbered
from assay.results.concepts.corrections import COLUMNS, correction_lines
from assay.results.concepts.drivers import drivers, means_by
from assay.results.concepts.early import MEASURES, calibration, calibration_error, early
from assay.results.concepts.gathered import Kept, gather
from assay.results.concepts.portfolio_page import portfolio_page
from assay.results.concepts.sentence import sentence
from assay.results.concepts.similar import most_similar
from assay.results.concepts.write import write_concept_pages
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import Interval
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Span

TASK = small_task()
FEW = Bootstrap(n=30)
TWO = Portfolio("p", ("no", "yes"), 1)
SHEETS = ("page", "report.css"), ("concepts", "pages.css")
EVIL = '<script>alert(1)</script> & "quotes" =1+1\x1b'


def given(
    name: str,
    probability: float,
    gold: int | None = None,
    *parts: ConceptPart,
    text: str = "a text",
    **options: Any,
) -> Case:
    explained = ConceptExplanation(name, "bottleneck", 1, probability, parts, additive=True)
    known = None if gold is None else (gold,)
    return replace(Case(explained, (text,), (1 - probability, probability), known), **options)


def words(html: str) -> str:
    """What a reader sees of a page, or of a part of it."""
    body = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def signed(value: float) -> str:
    """As a page writes it."""
    return f"{value:+.2f}".replace("-", "−")


def number(said: str) -> float:
    """What a page writes."""
    return float(said.replace("−", "-"))


def attributes(html: str) -> set[str]:
    """The names of all attributes of a page."""
    found = set[str]()

    class Names(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.update(name for name, _ in attrs)

    Names().feed(html)
    return found


# One case


def test_the_page_of_a_case_tells_all_of_it() -> None:
    case = case_of(TASK.test[2], 2)
    seen = words(case_page(Kept(3, case), portfolio(TASK), past(TASK)))
    assert sentence(case, portfolio(TASK)) in seen
    for part in case.explanation.parts[:12]:
        assert signed(part.score) in seen
    assert f"Date {date(2017, 1, 15)} Event type {case.kind}" in seen
    total = BASE + REST + sum(part.score for part in case.explanation.parts)
    assert f"sum: half the log-odds of “90 days or more” {signed(total)}" in seen
    assert f"a report of average concepts {signed(BASE)}" in seen
    assert f"what no concept explains {REST:+.2f}" in seen and "usually 25 %" in seen
    # By what the page says of its unit, the sum is the probability that it shows.
    assert "its probability is 1 / (1 + exp(−2 × sum))" in seen
    assert case.probabilities[1] == pytest.approx(1 / (1 + np.exp(-2 * total)))
    assert "Ann Reader" in seen and "id,concept,holds,who" in seen


def test_the_lines_that_are_shown_add_up_also_where_some_are_folded() -> None:
    parts = tuple(ConceptPart(f"c{n:02}", 1.5 - 0.1 * n, 0.5) for n in range(14))
    explained = ConceptExplanation("1", "bottleneck", 1, 0.7, parts, base=-2.0, rest=0.3, additive=True)
    html = case_page(Kept(1, Case(explained, ("a text",), (0.3, 0.7))), TWO)
    table = html[html.index("<tbody>", html.index('class="concepts"')) : html.index("<tfoot>")]
    numbers = [number(n) for n in re.findall(r'<td class="number">([+−][\d.]+)</td>', table)]
    shown = re.search(r"sum: half the log-odds of “yes” ([+−][\d.]+)", words(html))
    assert shown and sum(numbers) == pytest.approx(number(shown[1]), abs=1e-9)
    assert len(numbers) == 12 + 3 and "2 further concepts, below" in words(table)


@pytest.mark.parametrize(
    ("portfolio", "said"),
    [
        (
            Portfolio("p", ("a", "b", "c"), 1),
            "the logit of “b” above the mean over all labels: its probability is exp(",
        ),
        (
            Portfolio("p", ("a", "b", "c"), 1, multi_label=True),
            "the logit of “b”: its probability is 1 / (1 + exp(−sum))",
        ),
    ],
)
def test_a_page_says_what_its_sum_is(portfolio: Portfolio, said: str) -> None:
    part = ConceptPart("c", 0.4, 0.9)
    explained = ConceptExplanation("1", "side_heads", 1, 0.7, (part,), base=-0.3, rest=0.1, additive=True)
    case = Case(explained, ("a text",), (0.2, 0.7, 0.1))
    seen = words(case_page(Kept(1, case), portfolio))
    # What a sum starts from is that of the method: side heads know no average text.
    assert f"add up to {said}" in seen and "a report without words −0.30" in seen and "average" not in seen
    assert "What each concept contributes to the logit of “b”" in words(
        portfolio_page(gather([case], portfolio), portfolio, FEW)
    )


@pytest.mark.parametrize("given_date", ["2020-01-02", pd.NaT, 2020, date(16, 1, 2)])
def test_a_date_that_is_none_is_refused(given_date: Any) -> None:
    with pytest.raises(InputError, match=r"case '1' has the date .*; expected a datetime\.date"):
        given("1", 0.7, date=given_date)


def test_dates_with_a_time_are_months() -> None:
    for when in (datetime(2020, 1, 2, 3), pd.Timestamp("2020-01-02")):
        assert gather([given("1", 0.7, date=when)], TWO).months == ["2020-01"]


def test_what_does_not_add_up_has_no_sum() -> None:
    explained = ConceptExplanation("1", "tcav", 1, 0.7, (ConceptPart("c", 0.4, p=0.01),))
    seen = words(case_page(Kept(1, Case(explained, ("a text",), (0.3, 0.7))), TWO))
    assert "do not add up" in seen and "sum:" not in seen and "0.010" in seen


def test_what_is_not_shown_to_be_learned_is_not_said_to_be_unlearned() -> None:
    part = ConceptPart("cause: fall", 1.0, 0.9, learned=False)
    case = given("1", 0.7, 1, part)
    of_case = words(case_page(Kept(1, case), TWO))
    of_all = words(portfolio_page(gather([case], TWO), TWO, FEW))
    for seen in (of_case, of_all):
        assert "not shown to be learned" in seen and "perhaps too few, do not show that" in seen
        assert "learned nothing" not in seen and "no better than" not in seen


def test_a_case_without_concepts_has_a_page() -> None:
    seen = words(case_page(Kept(1, given("1", 0.7)), TWO))
    assert "No concept that can be named speaks for this decision" in seen and "There is no concept" in seen


def test_words_keep_their_text_and_have_the_numbers_of_their_concepts() -> None:
    text = "he fell off the tall ladder & died"
    fall = ConceptPart("fall", 1.0, 0.9, (Span(3, 11), Span(12, 27)), (1.0, 1.0))
    tall = ConceptPart("tall things", -0.5, 0.9, (Span(16, 20), Span(21, 27)))
    none = ConceptPart("nothing", 0.4, 0.9)
    unlearned = ConceptPart("unlearned", 0.4, 0.9, (Span(0, 2),), learned=False)
    against = ConceptPart("denied", 0.4, 0.9, (Span(0, 2),), (-1.0,))
    parts = fall, tall, none, unlearned, against
    numbers = numbered(parts, (text,))
    assert numbers == {"fall": 1, "tall things": 2}
    (piece,) = coloured(parts, (text,), numbers)
    assert unescape(re.sub(r"<sup.*?</sup>|<[^>]+>", "", piece)) == text
    assert re.findall(r'class="concept (.*?)" title="(.*?)">(.*?)<', piece) == [
        ("c1 for", "fall", "fell off the "),
        ("c1 for", "fall; tall things", "tall ladder"),
    ]
    assert '<sup class="mark">1,2</sup> &amp; died' in piece


def test_bars_are_in_proportion_and_intervals_fit() -> None:
    one, two, three = bars(
        [2.0, -1.0, 0.0], [Interval(1.0, 4.0), Interval(-2.0, 0.0), Interval(np.nan, np.nan)]
    )
    assert (one.start, one.width, one.side, one.low, one.high) == (
        "100.00",
        "50.00",
        "for",
        "125.00",
        "200.00",
    )
    assert (two.start, two.width, two.side) == ("75.00", "25.00", "against")
    assert (three.width, three.low) == ("0.00", None)
    assert bars([float("nan")])[0].width == "0.00"


def test_corrections_say_the_contrary_and_are_a_csv_file() -> None:
    parts = ConceptPart("a, b", 1.0, 0.9), ConceptPart("=1+1", -1.0, 0.2), ConceptPart("no head", 1.0)
    explained = ConceptExplanation("7", "bottleneck", 1, 0.8, parts)
    lines = "\n".join([",".join(COLUMNS), *(line for _, line in correction_lines(explained))])
    assert list(csv.DictReader(io.StringIO(lines))) == [
        {"id": "7", "concept": "a, b", "holds": "no", "who": "YOUR NAME"},
        {"id": "7", "concept": "'=1+1", "holds": "yes", "who": "YOUR NAME"},
        {"id": "7", "concept": "no head", "holds": "no", "who": "YOUR NAME"},
    ]


def test_the_likeliest_answer_is_what_the_model_says_also_below_one_half() -> None:
    given = {"event: fall": 0.4, "event: slip": 0.35, "part: back": 0.9, "part: hand": 0.1, "ladder": 0.45}
    parts = *(ConceptPart(name, 1.0, p) for name, p in given.items()), ConceptPart("roof", 1.0, seen=False)
    lines = dict(correction_lines(ConceptExplanation("7", "bottleneck", 1, 0.8, parts)))
    said = {name: line.split(",")[2] for name, line in lines.items()}
    assert said == {
        "event: fall": "no", "event: slip": "yes", "part: back": "no", "part: hand": "yes", "ladder": "yes",
        "roof": "yes",
    }  # fmt: skip


# Similar cases


def test_similar_cases_are_the_nearest_and_ties_keep_their_order() -> None:
    examples = [Example(f"e{n}", ("t",), (n % 2,)) for n in range(5)]
    values = np.array([[0.9, 0.1], [0.5, 0.5], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0]])
    parts = ConceptPart("a", 1.0, 0.9), ConceptPart("b", 1.0, 0.1), ConceptPart("c", 1.0, 0.7)
    explained = ConceptExplanation("e3", "bottleneck", 1, 0.8, parts)
    found = most_similar(explained, PastCases(examples, ("a", "b"), values), 3)
    assert [each.example.id for each in found] == ["e0", "e2", "e1"]
    assert [each.distance for each in found] == pytest.approx([0, 0, 0.4])
    assert [each.common for each in found] == [("a",), ("a",), ("a",)]
    unlearned = replace(explained, parts=(parts[0], replace(parts[1], learned=False)))
    assert most_similar(unlearned, PastCases(examples, ("a", "b"), values), 5)[0].distance == 0
    assert most_similar(replace(explained, parts=()), PastCases(examples, ("a", "b"), values)) == []


# The portfolio


def test_drivers_are_means_over_the_cases() -> None:
    found = gather(cases(TASK), portfolio(TASK))
    every = list(cases(TASK))
    lines = {line.name: line for line in drivers(found, FEW)}
    for name in ("event_type: fall from height", "nature: bruise"):
        scores = [sum(p.score for p in case.explanation.parts if p.name == name) for case in every]
        chosen = [s for s, case in zip(scores, every, strict=True) if case.probabilities[1] > 0.5]
        assert lines[name].size == pytest.approx(np.abs(scores).mean())
        assert lines[name].mean == pytest.approx(np.mean(chosen))
        assert lines[name].mean_interval.low <= lines[name].mean <= lines[name].mean_interval.high
    sizes = [line.size for line in lines.values() if line.learned]
    assert sizes == sorted(sizes, reverse=True)
    assert [line.name for line in lines.values()][-1] == "cause: worn equipment"


@pytest.mark.parametrize(("chosen", "shown"), [(4, False), (5, True)])
def test_of_few_cases_the_mean_and_its_interval_are_not_shown(chosen: int, shown: bool) -> None:
    stream = [given(f"{n}", 0.9 if n < chosen else 0.1, 0, ConceptPart("c", n / 10, 0.9)) for n in range(20)]
    (line,) = drivers(gather(stream, TWO), FEW)
    assert (line.mean == line.mean) == shown == np.isfinite(line.mean_interval.low)
    assert np.isfinite(line.size_interval.low)
    page = words(portfolio_page(gather(stream, TWO), TWO, FEW))
    assert (f"over the {chosen} cases" in page) and ("fewer than 5)" in page) != shown


def test_a_heading_names_the_tables_that_there_are() -> None:
    dated = [
        given(f"{n}", 0.7, 1, ConceptPart("c", 1.0, 0.9), date=date(2017, 1 + n % 2, 3), kind=f"k{n % 2}")
        for n in range(12)
    ]
    of = {
        "By month and event type": dated,
        "By event type": [replace(case, date=None) for case in dated],
        "By month": [replace(case, kind="") for case in dated],
    }
    for heading, stream in of.items():
        html = portfolio_page(gather(stream, TWO), TWO, FEW)
        assert re.findall(r'<h2 id="parted">(.*?)</h2>', html) == [heading]
        assert f'<a href="#parted">{heading}</a>' in html
        assert ("By month" in words(html)) == ("month" in heading)


def test_bars_about_a_label_that_the_model_does_not_say_are_explained() -> None:
    parts = (ConceptPart("c", -1.0, 0.9),)
    three = Portfolio("p", ("a", "b", "c"), 1)
    explained = ConceptExplanation("1", "bottleneck", 1, 0.1, parts, additive=True)
    pages = {
        "The model says “no”. So what speaks against “yes” here, speaks for its decision.": case_page(
            Kept(1, given("1", 0.2, None, *parts)), TWO
        ),
        "The model does not say “b”. So what speaks against “b” here": case_page(
            Kept(1, Case(explained, ("t",), (0.8, 0.1, 0.1))), three
        ),
    }
    assert all(sentence in words(html) for sentence, html in pages.items())
    assert "So what speaks" not in words(case_page(Kept(1, given("1", 0.8, None, *parts)), TWO))


def test_months_and_kinds_are_means_of_their_cases() -> None:
    found = gather(cases(TASK), portfolio(TASK))
    name = "body_part: back"
    table = means_by(found, found.months, [name], latest=True)
    assert table and table.columns == sorted({f"{case.date:%Y-%m}" for case in cases(TASK)})
    for column, count, mean in zip(table.columns, table.cases, table.rows[0][1], strict=True):
        scores = [
            sum(part.score for part in case.explanation.parts if part.name == name)
            for case in cases(TASK)
            if f"{case.date:%Y-%m}" == column
        ]
        assert count == len(scores)
        assert mean == pytest.approx(np.mean(scores)) if count >= 5 else np.isnan(mean)
    kinds = means_by(found, found.kinds, [name], latest=False)
    assert kinds and kinds.cases == sorted(kinds.cases, reverse=True)
    assert dict(zip(kinds.columns, kinds.cases, strict=True)) == Counter(case.kind for case in cases(TASK))
    assert means_by(found, ["2017-01"] * 40, [name], latest=True) is None


def test_cases_that_explain_another_label_do_not_count_among_drivers() -> None:
    part = ConceptPart("c", 1.0, 0.9)
    other = ConceptExplanation("o", "bottleneck", 0, 0.9, (replace(part, score=-9.0),), additive=True)
    found = gather(
        [given("1", 0.7, 1, part), Case(other, ("t",), (0.9, 0.1), (0,)), given("2", 0.7, 1, part)], TWO
    )
    assert [(line.size, line.told) for line in drivers(found, FEW)] == [(1.0, 2)]
    assert "2 of 3 cases are explained for “yes”" in words(portfolio_page(found, TWO, FEW))


def test_early_detection_is_that_of_the_known_cases() -> None:
    rng = np.random.default_rng(0)
    truth, good = rng.random(200) < 0.2, rng.random(200)
    scores = {"coded fields": rng.random(200), "both": np.where(truth, 0.9, 0.1)}
    stream = [
        given(
            f"{n}", float(good[n]), int(truth[n]), others={name: float(of[n]) for name, of in scores.items()}
        )
        for n in range(200)
    ]
    unknown = given("x", 0.99, None, others={"coded fields": 0.9, "both": 0.9})
    detection = early(gather([*stream, unknown], TWO), "narrative", FEW)
    assert detection and (detection.cases, detection.positive) == (200, truth.sum())
    assert [model.name for model in detection.models] == ["narrative", "coded fields", "both"]
    assert detection.flagged == [2, 10, 20, 40]
    order = np.argsort(-good)
    values = dict(zip(MEASURES, detection.models[0].values, strict=True))
    for share in (1, 5, 10, 20):
        hits = truth[order[: 2 * share]].sum()
        assert values[f"recall at {share} %"][0] == pytest.approx(hits / truth.sum())
        assert values[f"lift at {share} %"][0] == pytest.approx(hits / (2 * share) / truth.mean())
    assert values["Brier score"][0] == pytest.approx(((good - truth) ** 2).mean())
    perfect = dict(zip(MEASURES, detection.models[2].values, strict=True))
    assert perfect["average precision"][0] == 1 and perfect["Brier score"][0] == pytest.approx(0.01)
    difference = dict(zip(MEASURES, detection.models[2].differences, strict=True))["Brier score"]
    assert difference[0] == pytest.approx(0.01 - values["Brier score"][0])
    assert difference[1].high < 0


def test_where_no_outcome_is_known_or_all_are_alike_nothing_is_said_of_it() -> None:
    stream = [given(f"{n}", 0.3 + n / 100) for n in range(20)]
    seen = words(portfolio_page(gather(stream, TWO), TWO, FEW))
    assert "No outcome is known" in seen
    assert not re.search("found early|Calibration|Worst errors", seen)
    alike = [replace(case, gold=(1,)) for case in stream]
    assert early(gather(alike, TWO), "m", FEW) is None


def test_calibration_bins_are_of_like_size_and_part_no_equal_probabilities() -> None:
    stream = [given(f"{n}", (n // 25) / 10, int(n % 10 < n // 25)) for n in range(250)]
    bins = calibration(gather(stream, TWO))
    assert [each.cases for each in bins] == [25] * 10
    assert [each.given for each in bins] == pytest.approx([n / 10 for n in range(10)])
    assert sum(each.cases * each.share for each in bins) == sum(case.gold == (1,) for case in stream)
    assert all(each.low <= each.share <= each.high for each in bins)
    expected = np.mean([abs(each.given - each.share) for each in bins])
    assert calibration_error(bins) == pytest.approx(expected)
    assert len(calibration(gather([given(f"{n}", 0.4, n % 2) for n in range(30)], TWO))) == 1


# Files


def test_pages_are_drawn_by_seed_and_the_worst_errors_always_have_one() -> None:
    def pages(seed: int, at_most: int) -> set[int]:
        about = replace(portfolio(TASK, at_most), seed=seed)
        return {kept.place for kept in gather(cases(TASK), about).kept}

    worst = {kept.place for kept in gather(cases(TASK), portfolio(TASK)).worst}
    assert 5 < len(worst) <= 10
    assert worst <= pages(0, 5) and len(pages(0, 5)) <= 5 + len(worst)
    assert pages(0, 5) == pages(0, 5) != pages(1, 5)
    assert pages(0, 100) == set(range(1, 41))


def test_each_case_is_as_likely_to_have_a_page() -> None:
    stream = [given(f"{n}", 0.7, 1) for n in range(20)]
    drawn = Counter(
        kept.place for seed in range(400) for kept in gather(stream, replace(TWO, pages=5, seed=seed)).kept
    )
    assert sum(drawn.values()) == 400 * 5
    assert all(60 < drawn[place] < 145 for place in range(1, 21))


def test_worst_errors_are_the_surest_ones() -> None:
    stream = [given(f"{n}", (n + 0.3) / 100, int(n < 50)) for n in range(100)]
    worst = gather(stream, TWO).worst
    names = [kept.case.explanation.example_id for kept in worst]
    assert names == ["0", "99", "1", "98", "2", "97", "3", "96", "4", "95"]


def test_the_index_links_every_page_and_says_how_many_there_are(tmp_path: Path) -> None:
    index = write_concept_pages(tmp_path, cases(TASK), portfolio(TASK, 8), past(TASK), FEW)
    html = index.read_text("utf-8")
    linked = set(re.findall(r'href="(cases/[^"]+)"', html))
    written = {f"cases/{page.name}" for page in (tmp_path / "cases").iterdir()}
    assert linked == written
    assert (
        f"{len(written)} of 40 cases have a page: 8 drawn at random (seed 0), and the worst errors"
        in words(html)
    )
    assert 'href="../index.html"' in (tmp_path / sorted(written)[0]).read_text("utf-8")


def test_pages_of_an_earlier_call_do_not_stay(tmp_path: Path) -> None:
    write_concept_pages(tmp_path, cases(TASK), portfolio(TASK, 3), bootstrap=FEW)
    (tmp_path / "cases" / "mine.html").write_text("kept")
    write_concept_pages(tmp_path, [given("1", 0.7, 1)], TWO, bootstrap=FEW)
    assert {page.name for page in (tmp_path / "cases").iterdir()} == {"case-000001.html", "mine.html"}


def test_equal_cases_give_equal_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_concept_pages(tmp_path / folder, cases(TASK), portfolio(TASK, 5), past(TASK), FEW)
    for file in (tmp_path / "one").rglob("*.html"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_cases_are_read_once_and_not_kept(tmp_path: Path) -> None:
    alive = Counter[str]()

    class Text(str):
        __slots__ = ()

        def __new__(cls, value: str) -> Text:
            alive["now"] += 1
            alive["most"] = max(alive["most"], alive["now"])
            return super().__new__(cls, value)

        def __del__(self) -> None:
            alive["now"] -= 1

    def stream() -> Iterator[Case]:
        for n in range(500):
            yield replace(given(f"{n}", 0.7, n % 2), texts=(Text(f"text {n}"),))

    write_concept_pages(tmp_path, stream(), replace(TWO, pages=20), bootstrap=Bootstrap(n=5))
    assert 20 <= alive["most"] <= 35


def evil_case() -> Case:
    part = ConceptPart(EVIL, 1.0, 0.9, (Span(0, 25),), (1.0,), added_by=EVIL)
    unlearned = replace(part, name=f"{EVIL}2", learned=False)
    case = given(
        EVIL, 0.7, 0, part, unlearned, text=EVIL, kind=EVIL, date=date(2017, 1, 1), others={EVIL: 0.5}
    )
    return replace(case, group=EVIL)


def evil_portfolio() -> Portfolio:
    return Portfolio(EVIL, (f"{EVIL}0", f"{EVIL}1"), 1, kind=EVIL, noun=EVIL, notes=(EVIL,))


def evil_pages(folder: Path) -> list[str]:
    """All pages of cases whose every text is a script."""
    stream = [
        evil_case(),
        *(given(f"{n}", n / 20, n % 2, kind=f"k{n % 2}", others={EVIL: 0.1}) for n in range(20)),
    ]
    past_cases = PastCases([Example(EVIL, (EVIL,), (1,))], (EVIL,), np.array([[0.9]]))
    write_concept_pages(folder, stream, evil_portfolio(), past_cases, FEW)
    return [page.read_text("utf-8") for page in sorted(folder.rglob("*.html"))]


def test_every_text_is_inert(tmp_path: Path) -> None:
    pages = evil_pages(tmp_path)
    assert len(pages) == 22
    for html in pages:
        assert "<script>alert" not in html and "\x1b" not in html
        assert all(
            re.fullmatch(r"[a-zA-Z:-]+[12]?", name) and "quotes" not in name for name in attributes(html)
        )
        assert html.count("<script>") == (1 if 'id="drivers"' in html else 0)
    of_case, index = pages[0], pages[-1]
    assert of_case.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10
    assert index.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10
    # a line of corrections.csv in which the concept is one cell
    (line,) = {
        unescape(found) for found in re.findall(r"<li><code>(.*?)</code>", of_case) if "2" not in found
    }
    assert next(csv.reader([line]))[1:] == [EVIL.replace("\x1b", "\\x1b"), "no", "YOUR NAME"]


def test_pages_may_load_nothing_and_run_one_script_or_none(tmp_path: Path) -> None:
    index = write_concept_pages(tmp_path, cases(TASK), portfolio(TASK, 3), past(TASK), FEW)
    for page in tmp_path.rglob("*.html"):
        html = page.read_text("utf-8")
        assert not re.search(r'(?:src|action)=|href="(?!#|cases/|\.\./index)|@import|url\((?!#)', html)
        # Enter in the search field of a form would send it, which the policy forbids with a message.
        assert "<form" not in html
        assert "default-src 'none'" in html and "base-uri 'none'; form-action 'none'" in html
        assert ("script-src 'sha256-" in html) == (page == index)


# Faults


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": (0.3, 1.7)}, "case '1' has the probability 1.7; expected from 0 to 1"),
        ({"probabilities": (0.8, float("nan"))}, "has the probability nan"),
        ({"probabilities": (0.7,)}, "explains label 1, but has 1 probabilities"),
        ({"probabilities": (0.5, 0.5)}, "is explained with probability 0.7000 of label 1, but"),
        ({"others": {"coded": 2.0}}, "has the probability 2.0"),
        ({"texts": ("x",)}, "has 'c' at characters 0 to 4, outside its text"),
    ],
)  # fmt: skip
def test_a_case_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    case = given("1", 0.7, 1, ConceptPart("c", 1.0, 0.9, (Span(0, 4),)))
    with pytest.raises(InputError, match=re.escape(message)):
        replace(case, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": float("nan")}, "has the score nan of 'c'"),
        ({"probability": 1.2}, "gives the concept 'c' the probability 1.2"),
        ({"spans": (Span(0, 2), Span(3, 4)), "span_scores": (1.0,)}, "has 1 scores of 2 places of 'c'"),
        ({"spans": (Span(0, 2, 1),)}, "has 'c' at characters 0 to 2, outside its text"),
    ],
)
def test_a_concept_that_is_broken_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        given("1", 0.7, 1, replace(ConceptPart("c", 1.0, 0.9), **change))
    part = ConceptPart("c", 1.0, 0.9)
    with pytest.raises(InputError, match="has a concept twice"):
        given("1", 0.7, 1, part, part)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ([], "the portfolio has no case"),
        ([given("1", 0.7), given("1", 0.7)], "case '1' occurs twice"),
        ([given("1", 0.7, 2)], "has the gold labels (2,); expected from 0 to 1"),
        ([replace(given("1", 0.7), gold=(0, 1))], "has 2 gold labels; expected one"),
        ([given("1", 0.7, others={"a": 0.1}), given("2", 0.7)], "case '2' has scores of other models []"),
        ([replace(given("1", 0.7), probabilities=(0.1, 0.7, 0.2))], "has 3 probabilities; expected one"),
    ],
)  # fmt: skip
def test_cases_that_do_not_fit_the_portfolio_are_refused(stream: list[Case], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        gather(stream, TWO)


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="is about label 2; expected from 0 to 1"):
        replace(TWO, focus=2)
    with pytest.raises(InputError, match="0 pages of cases"):
        replace(TWO, pages=0)
    with pytest.raises(InputError, match=re.escape("values of shape (1, 1); expected (1, 2)")):
        PastCases([Example("1", ("t",), (0,))], ("a", "b"), np.ones((1, 1)))


# How eyes see linear RGB (Machado et al. 2009, full protanopia and deuteranopia), and CIE's XYZ of it.
EYES = {
    "usual": np.eye(3),
    "protan": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]]),
    "deutan": np.array([[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, eyes: str) -> np.ndarray:
    """(3,) CIELAB of a colour such as #0b57a4."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(EYES[eyes] @ linear, 0, 1) / np.array([0.9505, 1.0, 1.0888])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", list(EYES))
def test_colours_of_concepts_are_none_of_those_for_and_against(eyes: str) -> None:
    sheets = [files("assay.results").joinpath(*at).read_text("utf-8") for at in SHEETS]
    values = [re.findall(r"--(c[1-8]|link|against): (#[0-9a-f]{6})", sheet) for sheet in sheets]
    half = {name: [value for name_, value in of if name_ == name] for of in values for name, _ in of}
    assert all(len(colours) == 2 for colours in half.values()) and len(half) == 10
    for scheme in (0, 1):
        for number in range(1, 9):
            own = lab(half[f"c{number}"][scheme], eyes)
            apart = [np.linalg.norm(own - lab(half[name][scheme], eyes)) for name in ("link", "against")]
            assert min(apart) > 12, (number, scheme, apart)
