"""The data sheet in a browser: readable on a phone, in the light and in the dark, bars as long as said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chromium import CHROMIUM, probed
from results_synthetic import experiment
from small_tasks import size_of, task
from test_report import built

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found")

DARK = "--blink-settings=preferredColorScheme=0"
# Contrast as WCAG 2 defines it, of every text in the section with the page behind it.
PROBE = """
const part = document.querySelector("#data").closest("section");
for (const folded of document.querySelectorAll("details")) folded.open = true;
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = getComputedStyle(document.body).backgroundColor;
const contrast = (element) => {
  const [low, high] = [light(getComputedStyle(element).color), light(paper)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const texts = [...part.querySelectorAll("th, td, caption, p, li, a, h2, h3")];
const bars = [...part.querySelectorAll(".bar")];
document.title = JSON.stringify({
  paper: light(paper),
  contrast: Math.min(...texts.map(contrast)),
  bars: bars.map((bar) => [bar.firstChild.getBoundingClientRect().width / bar.getBoundingClientRect().width,
                           bar.firstChild.style.width]),
  clipped: texts.filter((text) => text.scrollWidth > text.clientWidth + 1 && text.clientWidth > 0)
    .map((text) => text.textContent.trim()),
  names: [...part.querySelectorAll("tbody th")].map((name) => name.getBoundingClientRect().left),
  width: document.documentElement.clientWidth, needed: document.documentElement.scrollWidth,
});
"""


@pytest.fixture(scope="module")
def html() -> str:
    names = "ann", "an annotator with quite a long name"
    return built(replace(experiment(n=10), tasks=[size_of(task(*names), "cnn")]))


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (420, False), (420, True)])
def test_it_is_readable(tmp_path: Path, html: str, width: int, dark: bool) -> None:
    seen = probed(tmp_path, html, width, PROBE, *([DARK] if dark else []))
    assert seen["needed"] == seen["width"] <= width
    assert seen["clipped"] == []
    assert seen["contrast"] >= 4.5
    assert (seen["paper"] < 0.05) == dark
    assert all(0 <= left < width / 2 for left in seen["names"])
    assert len(seen["bars"]) > 10
    for measured, said in seen["bars"]:
        assert measured == pytest.approx(float(said.rstrip("%")) / 100, abs=0.02)
