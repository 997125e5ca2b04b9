"""The report in Chromium: every control by mouse and by keyboard, accessible, silent, without a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_reports import EVIL, KINDS, many_groups
from chromium import DRIVEN, LOOSE, MODES, Opened, axe, browse, driver, opened, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(not DRIVEN, reason="no Chromium found, or no Playwright")
SINGLE, RATIONALES, MULTI, THIRTY = KINDS
# Many tables take long; in the dark they are as the others are.
LARGE = (THIRTY, "light"), (THIRTY, "phone"), pytest.param(THIRTY, "dark", marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driver() as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: make(tmp_path_factory.mktemp("report")) for kind, make in KINDS.items()}


def data_of(seen: Opened) -> dict[str, Any]:
    """What the explorer draws."""
    return json.loads(seen.page.evaluate("document.getElementById('text-data').textContent"))


def listed(seen: Opened) -> list[str]:
    """The ids of the texts that are drawn."""
    headings = seen.page.query_selector_all("#text-list h3")
    return [str(heading.evaluate("(element) => element.childNodes[1].data")) for heading in headings]


# Words of a table whose letters stand on two lines, if a screen has room for them on one, and letters that
# stand outside of their cell.
BROKEN = """() => [...document.querySelectorAll("table th, table td")].flatMap((cell) => {
  const found = [], walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const word of node.data.matchAll(/[A-Za-z_]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const boxes = [...range.getClientRects()].filter((box) => box.width);
      const edge = cell.getBoundingClientRect();
      if (boxes.reduce((sum, box) => sum + box.width, 0) > 0.65 * innerWidth) continue;
      if (new Set(boxes.map((box) => Math.round(box.top))).size > 1) found.push(`broken: ${word[0]}`);
      if (boxes.some((box) => box.right > edge.right + 1)) found.push(`outside: ${word[0]}`);
    }
  return found;
})"""


@pytest.mark.parametrize("kind", [SINGLE, THIRTY])
def test_no_word_of_a_table_is_broken_on_a_phone(browser: Browser, reports: dict[str, Path], kind: str):
    with opened(browser, reports[kind], "phone") as seen:
        seen.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        assert seen.page.evaluate(BROKEN) == []


def check_widths(seen: Opened, mode: str) -> None:
    """The page does not scroll sideways; what does is reached by keyboard."""
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= MODES[mode][0]
    wide = [box for box in seen.all(".box") if box.evaluate("(box) => box.scrollWidth > box.clientWidth + 1")]
    assert wide or mode != "phone"
    for box in wide[:2]:
        box.focus()
        seen.page.keyboard.press("ArrowRight")
        seen.page.wait_for_function("(box) => box.scrollLeft > 0", arg=box)


@pytest.mark.parametrize(("kind", "mode"), [*product([SINGLE, RATIONALES, MULTI], MODES), *LARGE])
def test_axe_finds_nothing_and_only_tables_scroll_sideways(
    browser: Browser, reports: dict[str, Path], kind: str, mode: str
):
    with opened(browser, reports[kind], mode) as seen:
        seen.unfold()
        check_widths(seen, mode)
        if mode != "phone":
            # Of what is scrolled away or below a sticky head, no colours can be told.
            seen.page.add_style_tag(content=LOOSE)
            seen.page.set_viewport_size({"width": 6000, "height": 900})
        found = axe(seen.page)
        assert told(found["violations"]) == []
        # A phone has the colours of the light. Figures are images with a text beside; they stand on white.
        unclear = [one for one in found["incomplete"] if (one["id"], mode) != ("color-contrast", "phone")]
        assert [line for line in told(unclear) if not line.startswith("color-contrast: <text ")] == []


def test_the_first_screen_answers(browser: Browser, reports: dict[str, Path]):
    for kind in KINDS:
        with opened(browser, reports[kind]) as seen:
            for selector in (".headline", "table.best tbody tr:last-child"):
                box = seen.all(selector)[0].bounding_box()
                assert box["y"] + box["height"] <= 900, (kind, selector)


@pytest.mark.parametrize("kind", [SINGLE, RATIONALES, MULTI, pytest.param(THIRTY, marks=pytest.mark.slow)])
def test_every_control_works_by_mouse_and_by_keyboard(browser: Browser, reports: dict[str, Path], kind: str):
    with opened(browser, reports[kind]) as seen:
        for link in seen.all("nav a"):
            target = seen.page.query_selector(str(link.get_attribute("href")))
            for use in (link.click, lambda link=link: link.press("Enter")):
                use()
                seen.page.wait_for_timeout(20)
                assert target and target.evaluate("(heading) => heading.closest('details')?.open ?? true")
                top = target.bounding_box()
                assert top is not None and -5 <= top["y"] < 900
        seen.unfold()
        for summary in seen.page.query_selector_all("summary"):
            is_open = "(summary) => summary.parentElement.open"
            if not summary.is_visible():
                continue
            before = summary.evaluate(is_open)
            summary.evaluate("(summary) => summary.scrollIntoView({block: 'center'})")
            summary.click(position={"x": 5, "y": 5})
            assert summary.evaluate(is_open) != before
            summary.press("Enter")
            assert summary.evaluate(is_open) == before
        for button in seen.all("th button"):
            heading = button.evaluate_handle("(button) => button.closest('th')").as_element()
            assert heading is not None
            button.press("Enter")
            first = heading.get_attribute("aria-sort")
            button.click()
            second = heading.get_attribute("aria-sort")
            assert {first, second} == {"ascending", "descending"}
            button.press("Space")
            assert heading.get_attribute("aria-sort") is None
        for box in seen.all("input[type=checkbox]"):
            before = box.is_checked()
            box.press("Space")
            assert box.is_checked() != before
            box.click()
            assert box.is_checked() == before
        for field in seen.all(".filter input"):
            status = field.evaluate_handle("(field) => field.closest('.filter').querySelector('.count')")
            field.click()
            seen.page.keyboard.type("nothing has this name")
            assert str(status.inner_text()).startswith("0 of ")  # pyright: ignore[reportAttributeAccessIssue]
            seen.page.keyboard.press("Control+A")
            seen.page.keyboard.press("Delete")


def test_a_table_sorts_and_keeps_its_controls_apart(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[SINGLE]) as seen:
        table = "#comparison >> xpath=ancestor::section >> css=table.sortable >> nth=0"
        rows = seen.page.locator(f"{table} >> css=tbody tr:not(.divider)")
        heading = seen.page.locator(f"{table} >> css=thead th", has_text="Human agreement")
        given = rows.all_inner_texts()
        for sign, order in ((-1, "descending"), (1, "ascending")):
            heading.locator("button").click()
            assert heading.get_attribute("aria-sort") == order
            lines = [line.split("\t") for line in rows.all_inner_texts()]
            values = [float(line[3].split()[0]) for line in lines]
            assert values[:5] == sorted(values[:5], key=lambda value, sign=sign: sign * value)
            assert values[5:] == sorted(values[5:], key=lambda value, sign=sign: sign * value)
            assert {line[0] for line in lines[5:]} == {"gold", "random", "inverted"}
        heading.locator("button").click()
        assert rows.all_inner_texts() == given


def test_rows_are_filtered_by_their_names(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[THIRTY]) as seen:
        table = seen.page.locator("#comparison >> xpath=ancestor::section >> css=.box").first
        seen.page.get_by_label("Filter rows").first.fill("long_name mask")
        shown = table.locator("tbody tr:visible:not(.divider)").all_inner_texts()
        assert shown == [] or all("long_name" in row and "mask" in row for row in shown)
        seen.page.get_by_label("Filter rows").first.fill("long_name")
        assert len(table.locator("tbody tr:visible:not(.divider)").all()) == 8
        assert "8 of 31 rows" in seen.page.locator(".filter .count").first.inner_text()


def test_heads_stay_in_sight(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[THIRTY]) as seen:
        box = seen.page.locator("#comparison >> xpath=ancestor::section >> css=.box").first
        top = "getBoundingClientRect().top"
        where = f"(box) => box.querySelector('thead').{top} - box.{top}"
        assert box.evaluate("(box) => box.scrollHeight > box.clientHeight + 200")
        box.evaluate("(box) => { box.scrollTop = 200; }")
        assert abs(box.evaluate(where)) < 2


def test_texts_are_searched_filtered_and_sorted(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[SINGLE]) as seen:
        texts = data_of(seen)["texts"]
        ids = [text["id"] for text in texts]
        assert len(ids) == 24 and listed(seen) == ids[:5]
        page = seen.page
        status = page.locator("#text-count")
        page.get_by_label("wrong predictions only").check()
        wrong = [text["id"] for text in texts if text["wrong"]]
        assert f"of {len(wrong)} that match" in status.inner_text() and listed(seen) == wrong[:5]
        page.get_by_label("wrong predictions only").press("Space")
        page.get_by_label("Order").select_option("disagreement")
        apart = {text["id"]: max([-1, *(of["disagreement"] or -1 for of in text["said"])]) for text in texts}
        assert listed(seen) == sorted(ids, key=lambda id: -apart[id])[:5]
        page.get_by_label("Order").focus()
        page.keyboard.press("ArrowUp")
        assert listed(seen) == ids[:5]
        page.locator("[name=label]").select_option("neg")
        of_label = [text["id"] for text in texts if "neg" in [*text["gold"], *text["predicted"]]]
        assert 0 < len(of_label) < len(ids) and f"of {len(of_label)} that match" in status.inner_text()
        page.locator("[name=label]").select_option("")
        page.locator("[name=group]").select_option(label=f"{EVIL} / minilm")
        assert listed(seen) == [text["id"] for text in texts if text["group"] == 1][:5]
        page.locator("[name=group]").select_option("")
        page.get_by_label("Search").fill("SENTENCE more-4")
        assert [id.split()[0] for id in listed(seen)] == ["more-4", "more-4"]
        page.get_by_label("Search").fill("no such words")
        assert status.inner_text() == "No text matches." and listed(seen) == []


def test_more_texts_are_shown_and_the_focus_goes_to_the_first_of_them(
    browser: Browser, reports: dict[str, Path]
):
    with opened(browser, reports[SINGLE]) as seen:
        more = seen.page.locator("#text-more")
        more.press("Enter")
        assert len(listed(seen)) == 10
        assert seen.page.evaluate("document.activeElement.id") == "text-6"
        for _ in range(3):
            more.click()
        assert len(listed(seen)) == 24 and not more.is_visible()


def test_scores_are_of_whole_words_and_stand_in_a_table_for_who_has_no_mouse(
    browser: Browser, reports: dict[str, Path]
):
    with opened(browser, reports[SINGLE]) as seen:
        seen.page.get_by_label("Search").fill("more-4")
        text = next(text for text in data_of(seen)["texts"] if text["id"].startswith("more-4"))
        lines = text["said"][0]["lines"]
        summary = seen.page.locator("article").first.locator(".all-scores summary").first
        summary.press("Enter")
        rows = seen.page.locator("article").first.locator(".all-scores tbody tr")
        seen.page.wait_for_function("document.querySelectorAll('.all-scores tbody tr').length")
        found = [row.split("\t") for row in rows.all_inner_texts()]
        # Its first two tokens are one word.
        assert len(found) == len(lines[0][1]) and found[0][0] == "sentence 4"
        for at, row in enumerate(found):
            assert [float(cell.replace("−", "-")) for cell in row[1:]] == [scores[at] for _, scores in lines]
        strongest = seen.page.locator("article").first.locator(".strongest").first.inner_text()
        largest = max(range(len(found)), key=lambda at: abs(lines[0][1][at]))
        assert strongest.startswith(f"strongest: {found[largest][0]} {found[largest][1]}")


def test_marked_words_are_underlined_and_labels_have_lines_of_their_own(
    browser: Browser, reports: dict[str, Path]
):
    with opened(browser, reports[RATIONALES]) as seen:
        marks = seen.page.locator("article").first.locator(".line").first.locator("mark")
        text = data_of(seen)["texts"][0]
        marked = "".join(characters for characters, _, flag in text["pieces"][0] if flag & 1)
        assert "".join(marks.all_inner_texts()) == marked and marked
        assert "underline" in marks.first.evaluate("(mark) => getComputedStyle(mark).textDecorationLine")
    with opened(browser, reports[MULTI]) as seen:
        several = next(text for text in data_of(seen)["texts"] if len(text["said"]) > 1)
        seen.page.get_by_label("Search").fill(several["id"])
        told = seen.page.locator("article").first.locator(".target b").all_inner_texts()
        assert told == [of["target"] for of in several["said"]]
        assert EVIL in [option.inner_text() for option in seen.page.locator("[name=label] option").all()]


def test_boxes_hide_the_scores_of_an_explainer(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[RATIONALES]) as seen:
        seen.page.locator(".explainers summary").click()
        lines = seen.page.locator("article").first.locator(".line dt")
        before = lines.all_inner_texts()
        seen.page.get_by_label("lime").uncheck()
        assert lines.all_inner_texts() == [name for name in before if not name.startswith("lime")] != before


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_texts_are_never_markup(browser: Browser, reports: dict[str, Path], kind: str):
    with opened(browser, reports[kind]) as seen:
        seen.unfold()
        assert seen.page.evaluate("document.scripts.length") == 2
        said = seen.page.inner_text("body")
        assert EVIL in said
        assert all("alert(1)" not in script for script in seen.page.locator("head").all_inner_texts()[1:])


def test_paper_has_every_part(browser: Browser, reports: dict[str, Path]):
    with opened(browser, reports[SINGLE]) as seen:
        folded = "document.querySelectorAll('details:not([open])').length"
        before = seen.page.evaluate(folded)
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert before > 5 and seen.page.evaluate("document.querySelectorAll('.part:not([open])').length") == 0
        seen.page.emulate_media(media="print")
        assert not seen.page.locator("nav").is_visible()
        assert not seen.page.locator(".filters").is_visible()
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert seen.page.evaluate(folded) == before


def test_an_index_leads_to_a_page_for_each_task_and_model(browser: Browser, tmp_path: Path):
    index = many_groups(tmp_path)
    targets: list[str] = []
    for mode in MODES:
        with opened(browser, index, mode) as seen:
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= MODES[mode][0]
            assert told(axe(seen.page)["violations"]) == []
            links = seen.page.locator("table.index a")
            targets = [str(link.get_attribute("href")) for link in links.all()]
    assert len(targets) == 6
    with opened(browser, index.parent / targets[-1]) as seen:
        assert seen.page.locator("h3", has_text=EVIL).count() > 0
        up = str(seen.page.locator(".up a").get_attribute("href"))
        assert (index.parent / "report" / up).resolve() == index.resolve()


def test_the_policy_stops_foreign_scripts(tmp_path: Path, reports: dict[str, Path]):
    html = reports[THIRTY].read_text(encoding="utf-8")
    planted = html.replace("</body>", "<script>document.title = 'taken over'</script></body>")
    run = browse(tmp_path, planted, "--dump-dom")
    assert "<title>taken over</title>" not in run.stdout
    assert "CONSOLE" in run.stderr
