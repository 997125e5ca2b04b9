"""Average ranks of explainers over many tasks, models and seeds, and how far apart they must be to differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2, friedmanchisquare, studentized_range

from assay.metrics.cell_data import Metric
from assay.results.columns import RankRow, names, to_table
from assay.results.records import CellScores, Method, Results, grouped
from assay.results.statistics.clusters import Index, members, padded, text_of, unit_clusters
from assay.results.statistics.constant_methods import CONSTANT, is_constant_everywhere
from assay.results.statistics.informed import counts, few_texts, informed_units
from assay.results.statistics.intervals import Floats
from assay.results.statistics.ranking import ranks as ranks_within
from assay.results.statistics.ranking import round_ties

COLUMNS = names(RankRow)
Block = tuple[str, ...]


def rank_table(results: Results, by: Literal["seed", "unit"] = "seed", alpha: float = 0.05) -> pd.DataFrame:
    """The table of COLUMNS: per kind of models and metric, the candidates' average ranks; 1 is best.

    by: a block, within which explainers are ranked, is a task, model and model seed, or a task, model and
    unit, texts that hang together being one unit; what else varies is averaged first. Blocks of one task
    share its texts, so they are less independent than the test takes them to be. Only explainers with a value
    in every block are ranked; for others, and where fewer than two explainers or blocks are left, there is
    NaN. best: less than the critical difference behind the first, or all if the Friedman test finds no
    difference. An explainer that rests on few texts (`assay.results.statistics.informed.few_texts`) has a
    rank, but is neither tested nor best, as in the comparison; so has one whose explanations are constant in
    every text. `note` says so.
    """
    rows: list[RankRow] = []
    candidates = [cell for cell in results.cells if cell.method.explainer not in results.controls]
    cells = grouped(candidates, lambda cell: (cell.group.kind, cell.metric))
    for kind in dict.fromkeys(cell.group.kind for cell in results.cells):
        for metric in results.metrics:
            if (kind, metric.name) in cells:
                rows += _rank_rows(kind, metric, cells[kind, metric.name], by, alpha, results)
    return to_table(RankRow, rows)


def _rank_rows(
    kind: str,
    metric: Metric,
    cells: Sequence[CellScores],
    by: Literal["seed", "unit"],
    alpha: float,
    results: Results,
) -> list[RankRow]:
    methods, values = block_values(metric, cells, by, results)
    higher = metric.direction == "higher"
    ranks = average_ranks(values, higher=higher)
    by_method = grouped(cells, lambda cell: cell.method)
    behind = [_fewest(by_method[one], metric, results) for one in methods]
    notes = [
        few_texts(*each) or (CONSTANT if is_constant_everywhere(results, method, groups) else "")
        for each, method in zip(behind, methods, strict=True)
        for groups in ({cell.group for cell in by_method[method]},)
    ]
    tested = np.isfinite(ranks) & np.array([not note for note in notes], dtype=bool)
    n, k = len(values), int(tested.sum())
    p = friedman(round_ties(values[:, tested].T).T)[1]
    difference = critical_difference(k, n, alpha)
    # Where the difference is unknown or the ranks do not differ as a whole, nobody is told apart.
    reach = difference if p <= alpha else np.inf
    among = np.full(len(methods), np.nan)
    among[tested] = average_ranks(values[:, tested], higher=higher)
    best = (among - among[tested].min(initial=np.inf) < reach) & (k > 1)
    rows = zip(methods, ranks.tolist(), best.tolist(), behind, notes, strict=True)
    return [
        RankRow(kind, metric.name, *method, rank, n, p, difference, is_best, *each, note)
        for method, rank, is_best, each, note in rows
    ]


def _fewest(cells: Sequence[CellScores], metric: Metric, results: Results) -> tuple[int, int]:
    """The numbers of texts with a value of one method, and of groups of them, where they are fewest."""
    by_model = grouped(cells, lambda cell: (cell.group, cell.seed))
    every = [
        counts(informed_units(runs, metric), metric, results.clusters_of(group))
        for (group, _), runs in by_model.items()
    ]
    texts, groups = zip(*every, strict=True)
    return min(texts), min(groups)


def block_values(
    metric: Metric, cells: Sequence[CellScores], by: Literal["seed", "unit"], results: Results
) -> tuple[list[Method], Floats]:
    """Methods in order of appearance, and their values (blocks, methods); NaN where a method has none.

    Blocks without any value are left out.
    """
    methods = list(dict.fromkeys(cell.method for cell in cells))
    found: dict[Block, dict[Method, list[float]]] = {}
    for cell in cells:
        n = len(cell.units)
        if by == "seed":
            index, names = np.arange(n, dtype=np.intp)[None], [(cell.seed,)]
        else:
            index, names = _unit_blocks(cell, metric, results.clusters_of(cell.group))
        if n:
            parts = padded(cell.parts) if (index == n).any() else dict(cell.parts)
            for name, value in zip(names, metric.summarise(parts, index).tolist(), strict=True):
                block = found.setdefault((cell.group.task, cell.group.model, *name), {})
                block.setdefault(cell.method, []).append(value)
    rows = [[np.mean(block.get(method, [np.nan])) for method in methods] for block in found.values()]
    table = np.array(rows, dtype=np.float64).reshape(len(found), len(methods))
    return methods, table[np.isfinite(table).any(axis=1)]


def _unit_blocks(cell: CellScores, metric: Metric, clusters: Mapping[str, str]) -> tuple[Index, list[Block]]:
    """Positions of the units of each block, for parts that are `padded`, and what names it."""
    cluster = unit_clusters(cell.units, metric, clusters)
    first = np.unique(cluster, return_index=True)[1]
    texts = [(unit, text_of(unit, metric)) for unit in (cell.units[place] for place in first)]
    names = [(clusters[text], "cluster") if text in clusters else (unit,) for unit, text in texts]
    return members(np.arange(len(first), dtype=np.intp)[:, None], cluster), names


def average_ranks(values: Floats, *, higher: bool) -> Floats:
    """(k,) mean over blocks of the rank within the block, from (N, k); ties share their mean rank.

    1 is best. NaN for a column that lacks a value in any block; it is left out of the ranks of the others.
    """
    complete = np.isfinite(values).all(axis=0) & (len(values) > 0)
    ranks = np.full(values.shape[1], np.nan)
    if complete.any():
        better = values[:, complete] if higher else -values[:, complete]
        ranks[complete] = ranks_within(better.T).mean(axis=1)
    return ranks


def friedman(values: Floats) -> tuple[float, float]:
    """Friedman's chi-squared statistic and its p, corrected for ties, from (N, k): N blocks, k explainers.

    By scipy, and for two explainers, of which scipy computes none, by the same formula: (wins - losses)² over
    wins + losses (Friedman 1937, JASA 32; the correction as in Conover 1999, Practical Nonparametric
    Statistics). NaN for fewer than two blocks or explainers; p = 1 if all are tied everywhere.
    """
    n, k = values.shape
    if n < 2 or k < 2:
        return float("nan"), float("nan")
    if (values == values[:, :1]).all():
        return 0.0, 1.0
    if k > 2:
        result: Any = friedmanchisquare(*values.T)
        return float(result.statistic), float(result.pvalue)
    signs = np.sign(values[:, 0] - values[:, 1])
    statistic = float(signs.sum() ** 2 / np.abs(signs).sum())
    return statistic, float(chi2.sf(statistic, 1))


def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
    """How far the average ranks of two of k explainers over n blocks must be apart to differ at alpha.

    Nemenyi's test: q sqrt(k (k + 1) / (6 n)), with q the studentised range over sqrt(2) (Demšar 2006,
    JMLR 7). NaN for fewer than two explainers or blocks.
    """
    if k < 2 or n < 2:
        return float("nan")
    q = float(studentized_range.ppf(1 - alpha, k, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(k * (k + 1) / (6 * n)))
