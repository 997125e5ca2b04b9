"""The pages of a portfolio, written into one folder; each file appears whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from assay.results.concepts.case_page import case_page
from assay.results.concepts.cases import Case, PastCases, Portfolio
from assay.results.concepts.gathered import gather
from assay.results.concepts.portfolio_page import portfolio_page
from assay.results.statistics.estimates import Bootstrap
from assay.results.write import write_whole


def write_concept_pages(
    folder: Path,
    cases: Iterable[Case],
    portfolio: Portfolio,
    past: PastCases | None = None,
    bootstrap: Bootstrap | None = None,
) -> Path:
    """Write index.html, the portfolio, and a page per case in the folder `cases`.

    Cases are read once; of those without a page only numbers stay in memory. Pages of cases that an earlier
    call left in the folder are removed.

    Args:
        folder: is made if it is not there.
        cases: in any order; the page of the third is cases/case-000003.html.
        portfolio: what the pages are about.
        past: cases with known outcome; similar ones stand on each page.
        bootstrap: draws and level of intervals.

    Returns:
        The portfolio's page.

    Raises:
        InputError: without a case, or on one that does not fit the portfolio.
    """
    found = gather(cases, portfolio)
    for kept in found.kept:
        write_whole(folder / kept.file, case_page(kept, portfolio, past).encode())
    current = {folder / kept.file for kept in found.kept}
    for page in (folder / "cases").glob("case-*.html"):
        if page not in current:
            page.unlink(missing_ok=True)
    index = folder / "index.html"
    write_whole(index, portfolio_page(found, portfolio, bootstrap or Bootstrap()).encode())
    return index
