"""The page in a real browser: its script runs, tables sort, a phone need not scroll sideways."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from results_synthetic import experiment

from assay.results.figures.every_figure import drawings
from assay.results.page.report import page
from assay.results.page.summary_tables import findings
from assay.results.statistics.by_group import by_group
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.layout import grids, split_grids

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found")

# Clicks what a reader would click and leaves what it saw in the document's title.
PROBE = """
const table = document.querySelector("#comparison").parentElement.querySelector("table.sortable");
const names = () => [...table.querySelectorAll("tbody tr:not(.divider)")].map((row) => row.innerText);
const heading = [...table.tHead.rows[0].cells].find((cell) => cell.textContent.includes("Human agreement"));
const orders = [names()];
const states = [heading.getAttribute("aria-sort")];
for (let click = 0; click < 3; click++) {
  heading.querySelector("button").click();
  orders.push(names());
  states.push(heading.getAttribute("aria-sort"));
}
const box = document.querySelector("#choice input[value=lime]");
const shown = (line) => line.offsetHeight > 0;
const lines = () => [...document.querySelectorAll(".line[data-explainer]")].filter(shown).length;
const before = lines();
box.click();
document.title = JSON.stringify({
  orders, states, before, after: lines(),
  width: document.documentElement.clientWidth, needed: document.documentElement.scrollWidth,
});
"""


def browse(folder: Path, html: str, *options: str) -> subprocess.CompletedProcess[str]:
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        "--no-first-run",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        f"--user-data-dir={folder / 'profile'}",
        *options,
        file.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


@pytest.fixture(scope="module")
def html() -> str:
    results = experiment(n=20)
    bootstrap = Bootstrap(n=40)
    of_groups = by_group(results, bootstrap)
    tables = split_grids(of_groups.comparison, results.metrics)
    figures = list(drawings(results, grids(of_groups.comparison, results.metrics)))
    found = findings(results, of_groups, tables, {}, bootstrap)
    return page(results, tables, figures, bootstrap, found=found)


def probed(folder: Path, html: str, width: int, probe: str = PROBE, *options: str) -> dict[str, Any]:
    """What a probe saw in a frame of that width; browsers do not make a window as narrow as a phone."""
    open_policy = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", html)
    inner = open_policy.replace("</body>", f"<script>{probe}</script></body>")
    literal = json.dumps(inner).replace("</", "<\\/")
    outer = (
        f'<iframe style="width:{width}px;height:800px;border:0" '
        f'onload="document.title = this.contentDocument.title"></iframe><script>'
        f"document.querySelector('iframe').srcdoc = {literal}</script>"
    )
    dumped = browse(folder, f"<!DOCTYPE html><title></title>{outer}", "--dump-dom", *options).stdout
    title = re.search(r"<title>(\{.*?\})</title>", dumped)
    assert title, "the probe did not run"
    return json.loads(unescape(title[1]))


def test_headings_sort_and_boxes_hide_lines(tmp_path: Path, html: str):
    seen = probed(tmp_path, html, 1200)
    given, best, worst, again = ([line.split("\t") for line in order] for order in seen["orders"])
    assert seen["states"] == [None, "descending", "ascending", None]
    assert again == given != best
    column = 3
    for order, sign in ((best, -1), (worst, 1)):
        values = [float(line[column].split()[0]) for line in order]
        assert values[:5] == sorted(values[:5], key=lambda value: sign * value)
        assert values[5:] == sorted(values[5:], key=lambda value: sign * value)
        assert {line[0] for line in order[5:]} == {"gold", "random", "inverted"}
    assert (seen["before"], seen["after"]) == (7, 5)


def test_a_phone_does_not_scroll_sideways(tmp_path: Path, html: str):
    unbroken = html.replace("synthetic", "s" * 300).replace("saliency", "saliency" * 20)
    seen = probed(tmp_path, unbroken, 390)
    assert 300 < seen["width"] <= 390
    assert seen["needed"] == seen["width"]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_as_written_runs_its_script_without_complaint(tmp_path: Path, html: str, width: int):
    shot = tmp_path / "shot.png"
    run = browse(tmp_path, html, f"--window-size={width},1000", f"--screenshot={shot}")
    assert "CONSOLE" not in run.stderr
    assert len(shot.read_bytes()) > 20_000
    # The script takes `disabled` off the headings' buttons and `hidden` off the boxes.
    dumped = browse(tmp_path, html, "--dump-dom").stdout
    assert '<button type="button">' in dumped and "disabled" not in dumped.split("<script>")[0]


def test_the_policy_stops_foreign_scripts(tmp_path: Path, html: str):
    planted = html.replace("</body>", "<script>document.title = 'taken over'</script></body>")
    run = browse(tmp_path, planted, "--dump-dom")
    assert "<title>taken over</title>" not in run.stdout
    assert "CONSOLE" in run.stderr
