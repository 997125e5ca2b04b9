"""What the results floor is given: the scores of an experiment and what surrounds them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.metrics.annotators import AnnotatorAgreement
from assay.metrics.cell_data import Metric
from assay.models.alignment import Cut
from assay.results.flag import Flag
from assay.results.negatives import NegativeTexts
from assay.results.shown import ShownText

if TYPE_CHECKING:
    from assay.results.training_costs import TrainingCost
from assay.tasks.data_sheet import DataSheet, Lengths

TRAINED = "trained"
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


class Group(NamedTuple):
    """What explainers are compared within. kind: "trained", "untrained", or "mixed" for a pair of both."""

    task: str
    model: str
    kind: str = TRAINED

    @property
    def title(self) -> str:
        """The group as a heading."""
        names = {TRAINED: "", "untrained": ", untrained", "mixed": ", trained against untrained"}
        return f"{self.task} / {self.model}{names.get(self.kind, f', {self.kind}')}"


class Method(NamedTuple):
    """One row of a comparison; `baseline` is "" for an explainer that has none."""

    explainer: str
    baseline: str = ""

    @property
    def title(self) -> str:
        """The method in one line."""
        return f"{self.explainer} ({self.baseline})" if self.baseline else self.explainer


@dataclass(frozen=True, slots=True, eq=False)
class CellScores:
    """One metric of one cell.

    seed: of the trained model, or both of a pair of models ("0-1"). parts: name to (n units, m targets), as
    from assay.metrics.long_table.wide, NaN where absent. targets: the m label indices, -1 for what is about
    no one label. beside: the same parts compared with other marks (assay.metrics.long_table.without_beside).
    """

    group: Group
    method: Method
    metric: str
    seed: str
    units: tuple[str, ...]
    parts: Mapping[str, NDArray[np.float64]]
    explainer_seed: int = 0
    targets: tuple[int, ...] = ()
    beside: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why something is not there. An empty field means all of them; `detail` is a traceback, if it failed."""

    reason: str
    task: str = ""
    model: str = ""
    kind: str = ""
    seed: str = ""
    explainer: str = ""
    baseline: str = ""
    metric: str = ""
    failed: bool = False
    detail: str = ""

    def explains(self, group: Group, method: Method, metric: str) -> bool:
        """Whether this is (part of) the reason why the metric of the method is missing."""
        concerned = (self.explainer, self.baseline, self.metric)
        return self.covers(group) and _match(concerned, (*method, metric))

    def covers(self, group: Group) -> bool:
        """Whether this concerns the group."""
        return _match((self.task, self.model, self.kind), group)

    @property
    def place(self) -> str:
        """Where it happened, in one line."""
        seed = f"seed {self.seed}" if self.seed else ""
        method = Method(self.explainer, self.baseline).title
        names = (self.task, self.model, self.kind, seed, method, self.metric)
        return " / ".join(name for name in names if name) or "everywhere"


def _match(patterns: Iterable[str], names: Iterable[str]) -> bool:
    """Whether each pattern is its name, or empty."""
    return all(pattern in ("", name) for pattern, name in zip(patterns, names, strict=True))


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall seconds per explained text in one cell: median and quartiles over `texts` texts."""

    group: Group
    method: Method
    seed: str
    texts: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """How good one classifier is on the test texts; all values in 0..1, NaN where unknown.

    accuracy, f1: by label. remark: what is to be said of it, where it is no better than a constant answer.
    vote_distance: of its probabilities from the shares of votes, where labels were voted for;
    constant_distance: of the mean of these shares.
    """

    group: Group
    seed: str
    macro_f1: float
    accuracy: Mapping[str, float] = field(default_factory=dict)
    f1: Mapping[str, float] = field(default_factory=dict)
    micro_f1: float = float("nan")
    remark: str = ""
    vote_distance: float = float("nan")
    constant_distance: float = float("nan")

    @property
    def has_votes(self) -> bool:
        """Whether the labels were voted for."""
        return bool(np.isfinite(self.vote_distance))


@dataclass(frozen=True, slots=True)
class TaskSize:
    """How many texts a task has, how many of the test texts were explained, and what to know of the texts.

    models: those that these texts are explained with; limits may differ by model. sheet: of the texts in use;
    its test split are the explained texts. None if nothing is known of them.
    """

    name: str
    labels: tuple[str, ...]
    train: int
    dev: int
    test: int
    explained: int
    remarks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    sheet: DataSheet | None = None


@dataclass(frozen=True, slots=True)
class TextsRead:
    """What the models of a group read of the explained texts, by the first seed of which it is known.

    tokens: the numbers of tokens that are read, special ones left out; None before anything is explained.
    cut: what is not read; None if no record tells.
    """

    group: Group
    explained: int
    tokens: Lengths | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class LabelTexts:
    """A group of a multi-label task: its labels in class order, and how many explained texts have each."""

    group: Group
    labels: tuple[str, ...]
    texts: tuple[int, ...]
    explained: int


@dataclass(frozen=True, slots=True, eq=False)
class TextFacts:
    """What is known of the n explained texts of one model, to slice its scores by.

    labels: of each text its gold labels; several or none in a multi-label task. tokens: (n,) without special
    ones, NaN where unknown. right: (n,) whether the model decides as gold does, on every label; None if texts
    have no labels. confidence: (n,) its probability for what it decides, in a multi-label task the mean over
    labels.
    """

    group: Group
    seed: str
    ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    tokens: NDArray[np.float64]
    right: NDArray[np.bool_] | None
    confidence: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Everything known about an experiment; whatever is not known is empty.

    explainers: in the order of the configuration. controls: those that are no candidates (random, gold, ...);
    `random` names the one whose level is drawn as a reference, `gold` the one that knows the rationales,
    `heuristics` those that an explainer should beat on human agreement. read: of every group of single
    models. labels: the groups of multi-label tasks. annotators: by task how well those agree whose rationales
    it has. facts: of every single model. removal: the operator that metrics take tokens away with, unless
    they say otherwise. alike: by baseline the operators that put in the same, such as words of a masked
    language model, all by their names in the experiment; of a baseline that is not in it that of its name.
    notes: sentences on the explained texts. remarks: what to know below every table. constant: the methods
    whose scores are the same for every token of some texts. clusters: by
    task, and by the id of a text that hangs together with others, the name of what they are, such as a
    document. baseline_pairs: by two baselines how far the explanations of an explainer agree under them
    (assay.results.statistics.baseline_sensitivity). negatives: what the baseline of that name averages.
    classes: of Assay's own explainers and baselines in use, by
    `assay.results.tables.bibliography.class_name`. training_costs: of explainers that were trained, by model.
    incomplete: how much of the experiment is missing or failed, in a sentence; "" if nothing.
    """

    name: str
    metrics: Sequence[Metric]
    cells: Sequence[CellScores]
    explainers: Sequence[str] = ()
    controls: frozenset[str] = frozenset()
    random: str = "random"
    gold: str = "gold"
    heuristics: Sequence[str] = ()
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    tasks: Sequence[TaskSize] = ()
    read: Sequence[TextsRead] = ()
    absences: Sequence[Missing] = ()
    timings: Sequence[Timing] = ()
    models: Sequence[ModelQuality] = ()
    texts: Sequence[ShownText] = ()
    labels: Sequence[LabelTexts] = ()
    annotators: Mapping[str, Sequence[AnnotatorAgreement]] = field(default_factory=dict)
    facts: Sequence[TextFacts] = ()
    removal: str = ""
    alike: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    constant: Mapping[tuple[Group, Method], Flag] = field(default_factory=dict)
    clusters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    baseline_pairs: Mapping[tuple[str, str], Sequence[CellScores]] = field(default_factory=dict)
    negatives: Sequence[NegativeTexts] = ()
    classes: frozenset[str] = frozenset()
    training_costs: Sequence[TrainingCost] = ()
    incomplete: str = ""

    def constant_in(self, group: Group) -> dict[Method, Flag]:
        """The methods with constant explanations in a group."""
        return {method: flag for (of_group, method), flag in self.constant.items() if of_group == group}

    def refuses(self, group: Group, method: Method) -> bool:
        """Whether a method makes no sense in a group, so that it was never to be measured there."""
        if any(cell.group == group and cell.method == method for cell in self.cells):
            return False
        return any(
            not (one.failed or one.metric) and one.covers(group) and (one.explainer, one.baseline) == method
            for one in self.absences
        )

    def clusters_of(self, group: Group) -> Mapping[str, str]:
        """The clusters of the texts of a group's task; empty where none hang together."""
        return self.clusters.get(group.task, {})

    def rank(self, method: Method) -> tuple[bool, int]:
        """The place of a method in tables: as configured, controls last."""
        order = {name: place for place, name in enumerate(self.explainers)}
        return method.explainer in self.controls, order.get(method.explainer, len(order))


def trained_groups(groups: Iterable[Group]) -> list[Group]:
    """The groups of trained models, each once; all groups if there are none."""
    found = list(dict.fromkeys(groups))
    return [group for group in found if group.kind == TRAINED] or found


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """The items by their key; keys and items keep their order of appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
