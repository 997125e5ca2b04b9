"""The page of a portfolio: drivers, months and kinds, early detection, calibration, errors, all pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from assay.results.concepts.bars import bars
from assay.results.concepts.calibration import calibration_figure
from assay.results.concepts.cases import Case, Portfolio, decided, is_wrong
from assay.results.concepts.drivers import FEWEST, MeansBy, drivers, means_by
from assay.results.concepts.early import MEASURES, SHARES, Found, calibration, early
from assay.results.concepts.gathered import Gathered, Kept
from assay.results.concepts.sentence import sentence
from assay.results.concepts.template import render
from assay.results.concepts.terms import heading_of
from assay.results.concepts.units import unit
from assay.results.page.inline_svg import inline
from assay.results.page.shades import shade
from assay.results.statistics.estimates import Bootstrap

MODEL = "this model"
# So many concepts stand in the table of drivers; the others follow folded.
ROWS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A case in a list of pages."""

    file: str
    case: Case
    decision: str
    probability: float
    gold: str
    wrong: bool | None
    month: str
    sentence: str


def portfolio_page(found: Gathered, portfolio: Portfolio, bootstrap: Bootstrap) -> str:
    """The page as HTML. Equal input gives equal bytes."""
    lines = drivers(found, bootstrap)
    learned = [line.name for line in lines if line.learned]
    parted = [
        ("By month", "month", means_by(found, found.months, learned, latest=True)),
        (f"By {portfolio.kind}", portfolio.kind, means_by(found, found.kinds, learned, latest=False)),
    ]
    detection = early(found, MODEL, bootstrap)
    bins = calibration(found)
    label = portfolio.labels[portfolio.focus]
    drawn = bars([line.mean for line in lines], [line.mean_interval for line in lines])
    return render(
        "portfolio.html.j2",
        portfolio=portfolio,
        found=found,
        label=label,
        unit=unit(portfolio, portfolio.focus).name if found.additive else f"the logit of “{label}”",
        level=bootstrap.level,
        known=int(found.known().sum()),
        drivers=list(zip(lines, drawn, strict=True)),
        chosen=sum(found.chosen[place] for place in found.explained),
        rows=ROWS,
        unlearned=[line.name for line in lines if not line.learned],
        contributed=any(line.added_by for line in lines),
        parted=[(title, what, table, _shades(table)) for title, what, table in parted if table],
        parted_by=heading_of([what for _, what, table in parted if table]),
        fewest=FEWEST,
        detection=detection,
        measures=list(zip(MEASURES, _by_chance(detection), strict=True)) if detection else [],
        shares=SHARES,
        figure=inline(calibration_figure(bins, label), 1) if bins else None,
        worst=listed_cases(found.worst, portfolio),
        cases=listed_cases(found.kept, portfolio),
        dated=any(found.months),
        of_kinds=any(found.kinds),
    )


def listed_cases(kept: Iterable[Kept], portfolio: Portfolio) -> list[Line]:
    """A line for each case with a page."""

    def named(places: Iterable[int]) -> str:
        return ", ".join(portfolio.labels[place] for place in places) or "none"

    return [
        Line(
            file=each.file,
            case=each.case,
            decision=named(decided(each.case, portfolio)),
            probability=each.case.probabilities[portfolio.focus],
            gold="not known" if each.case.gold is None else named(each.case.gold),
            wrong=is_wrong(each.case, portfolio),
            month=f"{each.case.date:%Y-%m}" if each.case.date else "",
            sentence=sentence(each.case, portfolio),
        )
        for each in kept
    ]


def _shades(table: MeansBy | None) -> Callable[[float], str]:
    """The class of a mean in a table, by the largest mean in it."""
    values = [abs(value) for _, means in (table.rows if table else ()) for value in means if value == value]
    largest = max(values, default=0.0)
    return lambda value: shade(value, largest) if value == value else "zero"


def _by_chance(detection: Found) -> list[float]:
    """What a random order gets in each measure; of the Brier score, whoever gives everyone the base rate."""
    recalls = [flagged / detection.cases for flagged in detection.flagged]
    return [*recalls, *(1.0 for _ in recalls), detection.base_rate, detection.constant_brier]
