"""The pages of concepts in a browser: readable, in the dark and on a phone, silent, sorted, searched."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import CHROMIUM, browse, probed
from concept_cases import cases, past, portfolio, small_task
from test_concept_pages import evil_pages

from assay.results.concepts.write import write_concept_pages
from assay.results.statistics.estimates import Bootstrap

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found")

DARK = "--blink-settings=preferredColorScheme=0"
# Contrast as WCAG 2 defines it, of every text with the nearest background behind it that is not transparent;
# of bars and underlines (3:1) with the page.
READABLE = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const style = (element) => getComputedStyle(element);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = style(at).backgroundColor, alpha = numbers(colour)[3];
    if (alpha === undefined || alpha === 1) return colour;
  }
  return "rgb(255, 255, 255)";
};
const paper = style(document.body).backgroundColor;
const every = (selector) => [...document.querySelectorAll(selector)];
const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const texts = every("main *, header *").filter((element) => own(element) && !element.closest("figure svg"));
const measured = (of) => (element) => [of(element), element.className, element.textContent];
const worst = (elements, of) => elements.map(measured(of))
  .sort((a, b) => a[0] - b[0])[0] || [99];
const window_width = document.documentElement.clientWidth;
const right = (element) => element.getBoundingClientRect().right;
const outside = (element) => !element.closest(".box") && right(element) > window_width + 1;
document.title = JSON.stringify({
  paper: light(paper),
  contrast: worst(texts, (element) => ratio(style(element).color, behind(element))),
  lines: worst(every(".concept"), (element) => ratio(style(element).textDecorationColor, paper)),
  keys: worst(every(".key"), (element) => ratio(style(element).borderTopColor, paper)),
  bars: worst(every("svg.signed rect"), (element) => ratio(style(element).fill, paper)),
  outside: texts.filter(outside).map((element) => element.textContent.trim()),
  texts: texts.length,
  loaded: performance.getEntriesByType("resource").length,
  width: window_width, needed: document.documentElement.scrollWidth,
});
"""
SORTED = """{
const table = document.querySelector("#cases-list"), rows = () => [...table.tBodies[0].rows];
const shown = () => rows().filter((row) => row.offsetHeight > 0).length;
const heading = [...table.tHead.rows[0].cells].find((cell) => cell.classList.contains("number"));
const button = heading.querySelector("button");
button.focus();
const focused = document.activeElement === button;
button.click();
const order = rows().map((row) => parseFloat(row.querySelector(".number").dataset.value));
const search = document.getElementById("search"), box = document.getElementById("wrong-only");
const all = shown();
search.value = "SCAFFOLD says"; search.dispatchEvent(new Event("input"));
const found = shown(), texts = rows().filter((row) => row.offsetHeight > 0).map((row) => row.textContent);
search.value = ""; search.dispatchEvent(new Event("input"));
box.click();
document.title = JSON.stringify({focused, state: heading.getAttribute("aria-sort"), order, all, found, texts,
  wrong: shown(), said: document.getElementById("search-count").textContent});
}"""


def opened(folder: Path, page: str) -> str:
    """A page that lets a probe run; pages of cases let no script run."""
    html = (folder / page).read_text("utf-8")
    return (
        html if "script-src" in html else html.replace("base-uri", "script-src 'unsafe-inline'; base-uri", 1)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task, at = small_task(), tmp_path_factory.mktemp("pages")
    write_concept_pages(at, cases(task), portfolio(task), past(task), Bootstrap(n=30))
    return at


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (420, False), (420, True)])
@pytest.mark.parametrize("page", ["index.html", "cases/case-000003.html"])
def test_a_page_is_readable(tmp_path: Path, folder: Path, page: str, width: int, dark: bool) -> None:
    seen = probed(tmp_path, opened(folder, page), width, READABLE, *([DARK] if dark else []))
    assert seen["needed"] == seen["width"] <= width
    assert seen["outside"] == []
    assert seen["contrast"][0] >= 4.5, seen["contrast"]
    assert min(seen[what][0] for what in ("lines", "keys", "bars")) >= 3, seen
    assert (seen["paper"] < 0.05) == dark
    assert seen["texts"] > 100 and seen["loaded"] == 0


@pytest.mark.parametrize("page", ["index.html", "cases/case-000003.html"])
def test_names_without_a_blank_do_not_make_a_phone_scroll(tmp_path: Path, folder: Path, page: str) -> None:
    html = opened(folder, page)
    for name in ("accidents", "fall from height", "under 90 days", "test-", "scaffold", "Ann Reader"):
        html = html.replace(name, name.replace(" ", "") * 20)
    seen = probed(tmp_path, html, 420, READABLE)
    assert seen["needed"] == seen["width"] and seen["outside"] == []


def test_the_list_of_cases_is_sorted_and_searched(tmp_path: Path, folder: Path) -> None:
    html = (folder / "index.html").read_text("utf-8")
    seen = probed(tmp_path, html, 1400, SORTED)
    assert seen["focused"] and seen["state"] == "descending"
    assert seen["order"] == sorted(seen["order"], reverse=True)
    assert seen["all"] == 40 and 0 < seen["found"] < 40
    assert all("scaffold" in text for text in seen["texts"])
    assert seen["wrong"] == html.count("data-wrong") > 0
    assert seen["said"] == f"{seen['wrong']} of 40 shown"


@pytest.mark.parametrize("page", ["index.html", "cases/case-000003.html"])
def test_a_page_as_written_is_silent(tmp_path: Path, folder: Path, page: str) -> None:
    run = browse(tmp_path, (folder / page).read_text("utf-8"), "--dump-dom")
    assert "CONSOLE" not in run.stderr
    assert ("40 of 40 shown" in run.stdout) == (page == "index.html")


def test_texts_of_users_run_nothing(tmp_path: Path) -> None:
    pages = evil_pages(tmp_path / "evil")
    for html in (pages[0], pages[-1]):
        run = browse(tmp_path, html, "--dump-dom")
        assert "CONSOLE" not in run.stderr
        assert "alert(1)" in run.stdout and "<script>alert" not in run.stdout


def test_a_foreign_script_is_stopped(tmp_path: Path, folder: Path) -> None:
    for page in ("index.html", "cases/case-000003.html"):
        html = (folder / page).read_text("utf-8")
        planted = html.replace("</body>", "<script>document.title = 'taken over'</script></body>")
        run = browse(tmp_path, planted, "--dump-dom")
        assert "<title>taken over</title>" not in run.stdout and "CONSOLE" in run.stderr
