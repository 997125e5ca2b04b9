"""The page: escaped, complete in itself, the same bytes each time, and whole when little is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from results_synthetic import METHODS, METRICS, experiment, shown

from assay.results.checks import FAILS, Check
from assay.results.figures.style import Drawing
from assay.results.page.content import Content
from assay.results.page.first_screen import BEST, answers
from assay.results.page.glossary import code_marked
from assay.results.page.numbers import three_digits
from assay.results.page.report import page, pages
from assay.results.page.summary_tables import findings
from assay.results.recommendation.answer import agreement
from assay.results.recommendation.recommend import recommend
from assay.results.recommendation.recommendation import Ranked, Recommendation
from assay.results.recommendation.sentences import sentences
from assay.results.records import Group, Method, Missing, Results, TaskSize, Timing
from assay.results.shown import ShownScores
from assay.results.statistics.by_group import by_group
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.layout import grids, split_grids

BOOTSTRAP = Bootstrap(n=40)
EVIL = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
VOID = {"meta", "input", "br", "hr", "img", "link"}
HEADINGS = ("h1", "h2", "h3")


FOLDS = ("summary", "details")


class Page(HTMLParser):
    """Checks that every element is closed in turn, and keeps what tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len({name for name, _ in attrs}), f"an attribute of {tag} occurs twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        # What is folded begins within the fold that holds it.
        if self.open or tag not in FOLDS:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((tuple(self.open), data))

    def values(self, attribute: str) -> list[str]:
        return [str(of[attribute]) for _, of in self.tags if attribute in of]

    def text_in(self, tag: str) -> str:
        return " ".join(" ".join(data for where, data in self.words if tag in where).split())


def drawing(name: str, text: str = "What it shows.") -> Drawing:
    """As matplotlib writes it: a prologue, metadata, comments, and ids that every figure has."""
    svg = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "http://www.w3.org/x.dtd">\n'
        '<svg xmlns="http://www.w3.org/2000/svg" width="300.5pt" height="10pt">'
        '<metadata><a rdf="http://purl.org/x"/></metadata>'
        '<defs><clipPath id="p1"><path d="M 0 0"/></clipPath></defs><!-- id="note" -->'
        '<g id="figure_1" clip-path="url(#p1)"><use href="#p1"/><text>id="kept"</text></g></svg>'
    )
    return Drawing(name, f"Figure {name}", text, svg.encode(), b"")


def built(
    results: Results, drawings: Sequence[Drawing] = (), checks: Mapping[str, Check] | None = None
) -> str:
    of_groups = by_group(results, BOOTSTRAP)
    tables = split_grids(of_groups.comparison, results.metrics, results.removal, checks)
    found = findings(results, of_groups, tables, checks or {}, BOOTSTRAP)
    advice = recommend(results, {}, bootstrap=BOOTSTRAP)
    return page(Content(results, tables, drawings, BOOTSTRAP, found=found, advice=advice))


@pytest.fixture(scope="module")
def html() -> str:
    return built(experiment(n=20), [drawing("one"), drawing("two")])


def test_every_element_is_closed_and_no_id_occurs_twice(html: str):
    parsed = Page(html)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids)) > 10
    targets = {value[1:] for value in parsed.values("href") if value.startswith("#")}
    targets |= {value for names in parsed.values("aria-labelledby") for value in names.split()}
    assert targets <= set(ids)


def test_headings_descend_one_step_at_a_time(html: str):
    levels = [int(tag[1]) for tag, _ in Page(html).tags if tag in HEADINGS]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_points_to_another_place(html: str):
    own = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", html)
    assert re.findall(r"https?://[^\"'\s<]+", own) == []
    parsed = Page(html)
    assert all(value.startswith("#") for value in parsed.values("href"))
    assert parsed.values("src") == [] and "@import" not in html
    assert "default-src 'none'" in html


def test_equal_input_gives_equal_bytes(html: str):
    assert built(experiment(n=20), [drawing("one"), drawing("two")]).encode() == html.encode()


def test_each_drawing_keeps_its_own_ids(html: str):
    assert html.count('id="drawing1-figure_1" clip-path="url(#drawing1-p1)"><use href="#drawing1-p1"') == 1
    assert html.count('id="drawing2-figure_1" clip-path="url(#drawing2-p1)"><use href="#drawing2-p1"') == 1
    assert html.count('<text>id="kept"</text>') == 2
    assert 'aria-label="Figure one. What it shows."' in html


def test_the_page_says_what_is_known(html: str):
    words = Page(html).text_in("body")
    for expected in (
        "assay run experiment=synthetic",
        "occlusion (pad, mask), lime (pad, mask), saliency",
        "gold, random, inverted",
        "95% interval",
        "Do the scores rank the tokens first",
        "A random explainer gets: about the share of marked tokens.",
        "Human agreement: the task has no human rationales",
        "lime cannot use the zero baseline: it removes words",
        "planted / cnn / trained / seed 1 / saliency: out of memory",
    ):
        assert expected in words


def test_bold_is_the_best_group_and_controls_stand_apart(html: str):
    compared = section(html, "comparison")
    start = compared.index('<table class="sortable">')
    table = compared[start : compared.index("</table>", start)]
    candidates, controls = table.split("<tbody>")[1:]
    assert "<strong>" in candidates and "<strong>" not in controls
    assert re.findall(r'<th scope="row">(\w+)', controls) == ["gold", "random", "inverted"]
    assert re.findall(r'<th scope="row">(\w+)', candidates) == [
        "occlusion",
        "occlusion",
        "lime",
        "lime",
        "saliency",
    ]


def test_missing_values_have_a_note():
    results = experiment(n=20)
    gap = Missing("saliency has no sign", "planted", explainer="saliency", metric="confidence")
    kept = [c for c in results.cells if (c.method.explainer, c.metric) != ("saliency", "confidence")]
    html = built(replace(results, cells=kept, absences=[gap]))
    assert '–<sup><a href="#note-1-1"' in html
    assert '<li id="note-1-1">saliency has no sign</li>' in html


def test_everything_from_outside_is_escaped():
    evil = Method(EVIL, EVIL)
    group = Group(EVIL, EVIL)
    text = shown(EVIL)
    text = replace(
        text,
        id=EVIL,
        group=group,
        gold=(EVIL,),
        predicted=(EVIL,),
        probabilities={EVIL: 1.0},
        explanations=[ShownScores(evil, EVIL, text.explanations[0].scores)],
    )
    base = experiment(groups=[group], methods=METHODS, n=20)
    results = replace(
        base,
        name=EVIL,
        command=EVIL,
        explainers=(EVIL, *base.explainers),
        versions={EVIL: EVIL},
        tasks=[TaskSize(EVIL, (EVIL,), 1, 1, 1, 1)],
        models=[replace(base.models[0], seed=EVIL, accuracy={EVIL: 0.5})],
        timings=[replace(base.timings[0], method=evil)],
        absences=[
            Missing(EVIL, explainer=EVIL, baseline=EVIL),
            Missing(EVIL, EVIL, EVIL, failed=True, detail=EVIL),
        ],
        texts=[text],
    )
    html = built(results, [drawing(EVIL, EVIL)])
    parsed = Page(html)
    assert [of.get("type") for tag, of in parsed.tags if tag == "script"] == ["application/json", None]
    assert "<script>alert" not in parsed.text_in("script")
    assert "49" not in parsed.text_in("h1")
    assert EVIL in parsed.text_in("pre") and EVIL in parsed.text_in("h1") and EVIL in parsed.text_in("code")
    assert EVIL in parsed.values("value") and EVIL in parsed.text_in("summary")


def test_half_a_surrogate_pair_does_not_stop_the_page():
    results = replace(experiment(n=10), texts=[shown("a \ud83d film")])
    assert "a" in built(results).encode("utf-8").decode()


NOTHING = Results(name="empty", metrics=(), cells=())


@pytest.mark.parametrize(
    "results",
    [
        NOTHING,
        replace(NOTHING, metrics=METRICS),
        replace(NOTHING, absences=[Missing("no memory", "planted", failed=True, detail="Traceback")]),
        replace(
            experiment(n=10), texts=(), timings=(), models=(), tasks=(), absences=(), versions={}, command=""
        ),
        experiment(methods=[Method("saliency")], seeds=["0"], n=10),
        experiment(methods=[Method("random")], groups=[Group("reviews", "cnn", "mixed")], n=10),
        replace(
            experiment(n=10), texts=[replace(shown("a b"), explanations=(), rationales=(), predicted=())]
        ),
    ],
    ids=["nothing", "metrics only", "failures only", "cells only", "one explainer", "a control", "bare text"],
)
def test_whatever_is_missing_is_left_out(results: Results):
    parsed = Page(built(results))
    assert parsed.text_in("h1")
    ids = set(parsed.values("id"))
    assert {value[1:] for value in parsed.values("href")} <= ids
    assert "answer" in ids and ("texts" in ids) == bool(results.texts)
    assert ("failures" in ids) == any(absence.failed for absence in results.absences)


def test_wall_times_are_the_mean_over_seeds_in_milliseconds():
    one = Timing(Group("t", "m"), Method("lime", "pad"), "0", 5, 0.010, 0.002, 0.1)
    results = replace(NOTHING, timings=[one, replace(one, seed="1", median=0.030)])
    assert "lime (pad) 20.0 2.00 to 100" in Page(built(results)).text_in("tbody")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.5, "0.500"),
        (12.34, "12.3"),
        (-1234.5, "-1,234"),
        (0.00012345, "0.000123"),
        (np.nan, "–"),
    ],
)
def test_three_digits(value: float, expected: str):
    assert three_digits(value) == expected


def test_backticks_become_code_and_nothing_else_does():
    assert str(code_marked("see `a<b`, not <b>")) == "see <code>a&lt;b</code>, not &lt;b&gt;"


def section(html: str, name: str) -> str:
    """What is folded below a heading."""
    start = html.index(f'<h2 id="{name}">')
    return html[start : html.index("</section>", start)]


def test_findings_have_their_sections_in_order(html: str):
    names = re.findall(r'<h2 id="([a-z]+)">', html)
    order = ["answer", "comparison", "texts", "overall", "agreement", "stability", "slices", "figures"]
    assert [name for name in names if name in order] == order
    words = section(html, "overall")
    assert "depends on who is in the table" in words and words.count('<table class="sortable">') == 2
    assert "Do the metrics agree?" in section(html, "agreement")
    assert "drawing3-" in section(html, "agreement")
    assert section(html, "stability").count('<table class="sortable narrow">') == 2
    assert section(html, "slices").count("<details><summary>") == 4 + 3
    assert "model wrong" in section(html, "slices") and "By gold label" in section(html, "slices")


def test_a_failing_metric_is_warned_of_above_its_table():
    checks = {"agreement": Check("agreement", FAILS, EVIL)}
    html = built(experiment(n=20), checks=checks)
    comparison = section(html, "comparison")
    assert comparison.count('<p class="alert">') == 1
    assert comparison.index('<p class="alert">') < comparison.index("<table")
    assert "alert(1)</script>" not in html.split("<main>")[1].split("</main>")[0]
    assert "Warning." in section(html, "overall")


def test_who_shares_the_operator_is_marked():
    html = built(replace(experiment(n=20), removal="mask"))
    assert re.search(r"\d(</strong>)?†", section(html, "comparison"))
    assert "† shares its operator" in section(html, "comparison")


def test_names_in_the_findings_are_escaped():
    base = experiment(n=20)
    evil = {method: method._replace(explainer=f"{method.explainer}{EVIL}") for method in METHODS[:5]}
    cells = [replace(cell, method=evil.get(cell.method, cell.method)) for cell in base.cells]
    facts = [replace(of, labels=tuple((EVIL,) for _ in of.ids)) for of in base.facts]
    html = built(replace(base, cells=cells, facts=facts, explainers=()))
    parsed = Page(html)
    assert [of.get("type") for tag, of in parsed.tags if tag == "script"] == ["application/json", None]
    assert EVIL in parsed.text_in("details") and EVIL in parsed.text_in("td")


def test_the_price_is_the_range_of_the_groups_own_models():
    here, other, method = Group("t", "m"), Group("t", "other"), Method("lime", "pad")
    ranked = Ranked(method, 1.0, 0.9, 1.1, 0.9, True, 1.0, ("faithfulness",), 20.0)
    advice = Recommendation(here, "", (method,), ranking=(ranked,))

    def price(*of: tuple[Group, float]) -> str:
        timings = [
            Timing(group, method, str(seed), 5, value, 0.001, 0.9) for seed, (group, value) in enumerate(of)
        ]
        (found,) = answers([advice], [], timings)
        return found.price

    assert price((here, 0.010), (here, 0.025), (other, 0.5)) == (
        "20 rows of the model and 10.0 to 25.0 ms per text (lime (pad))"
    )
    assert price((here, 0.010), (here, 0.010)) == "20 rows of the model and 10.0 ms per text (lime (pad))"
    assert price((other, 0.5)) == "20 rows of the model per text (lime (pad))"


def test_the_first_screen_has_the_words_of_the_recommendation_and_the_best_in_a_table(html: str):
    results = experiment(n=20)
    first, second = recommend(results, {}, bootstrap=BOOTSTRAP)
    words = Page(section(html, "answer").partition("</h2>")[2]).text_in("details")
    for advice in (first, second):
        for sentence in sentences(advice):
            assert sentence.text in words
    assert agreement([first, second]) in section(html, "answer")
    table = re.findall(r"<tbody>(.*?)</tbody>", section(html, "answer"), flags=re.S)[0]
    rows = re.findall(r'<th scope="row">(.*?)( <small class="tag">recommended</small>)?</th>', table)
    assert [name for name, _ in rows] == [one.method.title for one in first.ranking[:BEST]]
    assert [bool(tag) for _, tag in rows] == [one.recommended for one in first.ranking[:BEST]]
    # The stars are the best groups of the comparison: all that are bold there, of those that are here.
    compared = section(html, "comparison")
    bold = re.findall(r"<tbody>(.*?)</tbody>", compared, flags=re.S)[0].count("<strong>")
    assert table.count('class="star"') == bold


def test_what_cannot_be_told_is_the_answer_and_the_table_stands():
    quality = {"occlusion", "lime", "saliency"}
    base = experiment(n=20, groups=[Group("planted", "cnn")])
    # Nobody is better than random where everybody has random's scores.
    level = {(c.metric, c.seed): c.parts for c in base.cells if c.method.explainer == "random"}
    cells = [
        replace(c, parts=level[c.metric, c.seed]) if c.method.explainer in quality else c for c in base.cells
    ]
    html = built(replace(base, cells=cells))
    answer = section(html, "answer")
    assert "Cannot be told: nothing here is shown to beat random on" in answer
    assert "recommended" not in answer and "Price:" not in answer
    assert answer.count('<th scope="row">') == 5


def caption_of(answer: str) -> str:
    (words,) = re.findall(r"<caption><span>(.*?)</span></caption>", answer)
    return words


def test_the_first_table_says_what_it_is_ordered_by():
    base = experiment(n=20, groups=[Group("planted", "cnn")])
    (one,) = recommend(base, {}, bootstrap=BOOTSTRAP)
    assert caption_of(section(built(base), "answer")) == "The explainers, by faithfulness"
    counting = next(each for each in one.properties if each.weight > 0)
    both = replace(one, properties=(*one.properties, replace(counting, property="robustness")))
    (grid, *_) = grids(compare(base, BOOTSTRAP), base.metrics)
    found = answers([one, both], [grid], [])
    assert [each.order for each in found] == ["by faithfulness", "by the weighted score"]
    assert not any(each.unordered for each in found)


def test_without_stars_the_first_table_has_no_legend_of_them_and_no_order():
    base = experiment(n=20, groups=[Group("planted", "cnn")])
    (grid, *_) = grids(compare(base, BOOTSTRAP), base.metrics)
    plain = replace(
        grid,
        rows=tuple(
            replace(row, entries=tuple(replace(entry, best=False) for entry in row.entries))
            for row in grid.rows
        ),
    )
    refused = Recommendation(grid.group, "nothing beats random", ())
    orders = {}
    for name, each in (("stars", grid), ("none", plain)):
        (found,) = answers([refused], [each], [])
        orders[name] = found.order, found.unordered, found.starred
    assert orders == {
        "stars": ("by the number of properties on which they are among the best", False, True),
        "none": ("in the order of the comparison below", True, False),
    }


def test_three_warnings_stand_first_and_the_rest_is_folded():
    base = experiment(n=10)
    models = [
        replace(base.models[0], seed=str(n), remark=f"no better than a constant ({n})") for n in range(4)
    ]
    html = built(replace(base, models=models, notes=["a note"]))
    warned = re.findall(r'<div class="alert".*?</div>', html, flags=re.S)[0]
    shown, _, folded = warned.partition("<details>")
    assert shown.count("<li>") == 3 and "1 part of this experiment failed" in shown
    assert "3 more" in folded and folded.count("<li>") == 3 and "a note." in folded


def test_many_tasks_and_models_have_a_page_each():
    groups = [Group(task, model) for task in ("planted", EVIL, "c") for model in ("cnn", "lstm")]
    base = experiment(groups=groups, methods=METHODS[:3] + METHODS[5:6], seeds=["0"], n=10)
    results = replace(base, texts=[replace(text, group=groups[2]) for text in base.texts])
    of_groups = by_group(results, BOOTSTRAP)
    tables = split_grids(of_groups.comparison, results.metrics)
    found = findings(results, of_groups, tables, {}, BOOTSTRAP)
    advice = recommend(results, {}, bootstrap=BOOTSTRAP)
    found_pages = pages(Content(results, tables, [drawing("one")], BOOTSTRAP, found=found, advice=advice))
    index = Page(found_pages["report.html"])
    links = [href for href in index.values("href") if not href.startswith("#")]
    assert links == [name for name in found_pages if name != "report.html"] and len(links) == 6
    assert all(re.fullmatch(r"report/00\d-[a-z0-9-]+\.html", name) for name in links)
    words = index.text_in("table")
    for one in advice:
        assert f"{one.group.title} {sentences(one)[0].text}" in words
    assert "comparison" not in index.values("id") and "figures" in index.values("id")
    for group, name in zip(groups, links, strict=True):
        own = Page(found_pages[name])
        assert "../report.html" in own.values("href")
        assert own.text_in("h3").count(f"{group.title} (1 model seed)") >= 1
        others = [other.title for other in groups if other != group]
        assert not any(f"{other} (1 model seed)" in own.text_in("h3") for other in others)
        assert ("texts" in own.values("id")) == (group == groups[2])
        ids = set(own.values("id"))
        assert {value[1:] for value in own.values("href") if value.startswith("#")} <= ids


def test_a_few_tasks_and_models_share_a_page():
    results = experiment(n=10)
    tables = split_grids(by_group(results, BOOTSTRAP).comparison, results.metrics)
    assert list(pages(Content(results, tables, bootstrap=BOOTSTRAP))) == ["report.html"]
