"""Two versions that are compared, and the rows of what moved between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Group

# What a verdict says.
BETTER, WORSE, UNMOVED, UNTOLD = "better", "worse", "no difference found", "cannot be told"
PAIRED, UNPAIRED = "paired", "unpaired"
# Which models a test is about.
THESE, AGAIN = "these models", "models trained again"


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One side of a comparison.

    Attributes:
        name: as the user gave it.
        cells: its scores.
        metrics: by name.
        settings: by metric name the hash of its settings; empty where nothing is known of them.
        removals: by metric name the operator that it takes tokens away with, where known.
        texts: by task what names each explained text with its labels and rationales, by its id; a task is
            left out if that is unknown.
        labels: by task the names of its labels; a task is left out if they are unknown.
        weights: by group and seed the hash of the model's weights; empty where unknown.
        controls: explainers that are no candidates.
        trained: explainers that were trained once over many texts, so that their draws are no text's own.
        clusters: by task the clusters of texts that hang together, as in `Results`.
    """

    name: str
    cells: Sequence[CellScores]
    metrics: Mapping[str, Metric]
    settings: Mapping[str, str] = field(default_factory=dict)
    removals: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weights: Mapping[tuple[Group, str], str] = field(default_factory=dict)
    controls: frozenset[str] = frozenset()
    trained: frozenset[str] = frozenset()
    clusters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def groups(self) -> list[Group]:
        """The groups that have scores, in their order."""
        return list(dict.fromkeys(cell.group for cell in self.cells))


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One metric of one method in both versions."""

    task: Annotated[str, "the task, by its name in A"]
    model: Annotated[str, "the model of A"]
    other_model: Annotated[str, "the model of B"]
    kind: Annotated[str, "`trained`, `untrained`, or `mixed` for a pair of both"]
    explainer: Annotated[str, "the explainer"]
    baseline: Annotated[str, "what an absent token becomes; empty for an explainer without a baseline"]
    metric: Annotated[str, "the metric"]
    value_a: Annotated[float, "its value in A, over the texts that are compared"]
    value_b: Annotated[float, "its value in B, likewise"]
    difference: Annotated[float, "B minus A"]
    low: Annotated[float, "lower end of the interval of the difference; empty where there is none"]
    high: Annotated[float, "upper end of that interval"]
    p: Annotated[float, "p of no difference, unadjusted; empty where it was not tested"]
    p_holm: Annotated[float, "the same, adjusted for the whole table"]
    verdict: Annotated[str, "of B: `better`, `worse`, `no difference found` or `cannot be told`"]
    about: Annotated[str, "what interval and test are about: `these models` or `models trained again`"]
    texts: Annotated[str, "`paired` or `unpaired`"]
    n_texts: Annotated[int, "number of texts with a value, in the version with fewer"]
    shared_texts: Annotated[int, "number of texts with a value in both versions; 0 where they are not paired"]
    seeds_a: Annotated[int, "number of model seeds of A"]
    seeds_b: Annotated[int, "number of model seeds of B"]
    control: Annotated[bool, "a control (random, gold, ...)"]
    note: Annotated[str, "why there is no test, or what limits it"]
    direction: Annotated[str, "of the metric: `higher` or `lower` is better"] = ""
