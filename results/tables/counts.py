"""How many texts and models stand behind each number of a table, and the signs that warn of some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from assay.metrics.cell_data import Metric
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.columns import ComparisonRow, LabelRow, OverallRow, SliceRow
from assay.results.records import Method
from assay.results.statistics.informed import FEWEST, few_texts

HEADING = "texts × models"
FEW = "§"
FEWNESS = f"{FEW} fewer than {FEWEST} texts, or groups of texts, have a value: no interval, never called best"
CONSTANT = "≡"
CONSTANCY = f"{CONSTANT} constant explanations, the same score for every token of a text"


def count_words(row: ComparisonRow | LabelRow | OverallRow, metric: Metric | None = None) -> str:
    """The numbers of texts and of models (or pairs of models) that a value rests on, as in "51 × 2".

    Example:
        >>> from types import SimpleNamespace
        >>> count_words(SimpleNamespace(n_texts=1200, n_seeds=3))
        '1,200 × 3'
    """
    pairs = isinstance(metric, ModelPairMetric)
    several = f"{row.n_seeds} pair{'s' if row.n_seeds != 1 else ''}" if pairs else f"{row.n_seeds}"
    return f"{row.n_texts:,} × {several}"


def most_common(counts: Iterable[str]) -> str:
    """The count that most numbers share, "" if there is none."""
    found = Counter(counts).most_common(1)
    return found[0][0] if found else ""


def sign(row: ComparisonRow | LabelRow | OverallRow | SliceRow, constant: bool) -> str:
    """The signs beside a value; constant: whether it is of constant explanations."""
    return (FEW if few_texts(row.n_texts, row.n_groups) else "") + (CONSTANT if constant else "")


def sign_remarks(marks: Iterable[str], constant: Mapping[Method, str]) -> list[str]:
    """What the signs mean, of those that stand in a table.

    Args:
        marks: beside its values.
        constant: of the methods with constant explanations, in how many texts.
    """
    signs = "".join(marks)
    found = "; ".join(f"{method.title} {texts}" for method, texts in constant.items() if texts)
    remarks = [FEWNESS] if FEW in signs else []
    return [*remarks, f"{CONSTANCY}: {found}"] if CONSTANT in signs else remarks
