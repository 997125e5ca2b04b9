"""Pages in Chromium: what a probe sees in a frame, and a driver that clicks and types as a reader would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
# Whether it can be driven.
DRIVEN = CHROMIUM is not None and all(map(find_spec, ("playwright", "axe_playwright_python")))
# By name the width of the window, and whether the reader wants it dark.
MODES = {"light": (1400, False), "dark": (1400, True), "phone": (420, False)}


def browse(folder: Path, html: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Chromium's own run over a page, without a driver."""
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


def probed(folder: Path, html: str, width: int, probe: str, *options: str) -> dict[str, Any]:
    """What a probe saw in a frame of that width; browsers do not make a window as narrow as a phone."""
    open_policy = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", html)
    inner = open_policy.replace("</body>", f"<script>{{{probe}}}</script></body>")
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


@dataclass
class Opened:
    """A page in the driver's browser.

    Attributes:
        page: to be used.
        complaints: what the console said, errors of scripts, and dialogs.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def all(self, selector: str) -> list[Any]:
        """Every element of a kind, that is visible."""
        return [each for each in self.page.query_selector_all(selector) if each.is_visible()]

    def unfold(self) -> None:
        """Open every folded part, also those that are made when another opens."""
        self.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        self.page.wait_for_timeout(50)


@contextmanager
def driver() -> Iterator[Browser]:
    """Chromium, driven by Playwright, which brings no browser of its own here."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, file: Path, mode: str = "light") -> Iterator[Opened]:
    """A page as a reader opens it; it must not complain, nor ask for anything, until it is closed."""
    width, dark = MODES[mode]
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(10_000)
    page = context.new_page()
    seen = Opened(page)
    page.on("console", lambda said: seen.complaints.append(said.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))

    def dismiss(dialog: Dialog) -> None:
        seen.complaints.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield seen
    assert seen.complaints == [] and asked == [file.as_uri()]
    context.close()


# Sticky heads cover cells, so that colours behind them cannot be told.
LOOSE = (
    "body { max-width: none !important } .box { overflow: visible; max-height: none } "
    "thead, tr > * { position: static !important }"
)


def axe(page: Page) -> dict[str, Any]:
    """What axe-core finds on a page: its violations, and what it could not tell (incomplete)."""
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    return page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")


def told(findings: list[dict[str, Any]]) -> list[str]:
    """What axe-core found, a line for each element."""
    return [
        f"{finding['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for finding in findings
        for node in finding["nodes"]
    ]
