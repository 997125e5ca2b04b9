"""The typed outer record of an experiment's configuration; everything inside a group is a YAML of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore

# What `knowledge.ask` may name.
EMBEDDINGS, NEURONS, CONCEPTS = "embeddings", "neurons", "concepts"
# What `concepts.ask` may name.
PAGES, JUDGES = "pages", "judges"
# The explainers of conf/ that are no candidates.
CONTROLS = ("gold", "random", "inverted", "first_words", "rare_words", "lexicon")


class Targets(Enum):
    """Which classes are explained: the model's choice, the labels, or every class (as in the study)."""

    predicted = "predicted"
    gold = "gold"
    all = "all"


# What Hydra's store of configurations calls the schema, which conf/config.yaml names without its ending.
SCHEMA_FILE = "schema.yaml"
# The splits of which `limits` may say how many texts are used.
SPLITS = ("train", "dev", "test")


@dataclass
class EngineOptions:
    """Where the model runs, the tokens of one batch (null: by the model's size, on CUDA by its memory), and
    the threads of a job (null: as many as its libraries choose). precision: of coalitions; "float32",
    "bfloat16" or "mixed", which asks the share `asked_twice` of them in both (docs/precision.md)."""

    device: str = "cpu"
    budget: int | None = None
    threads: int | None = None
    precision: str = "float32"
    asked_twice: float = 0.15


@dataclass
class ReportOptions:
    """bootstrap: resamples behind every interval. texts: so many texts at most are on the page.

    seed: of the resamples, and of which texts are on the page. claims: whether the claims of the diagnostic
    study are tested (docs/reproducer.md).
    """

    bootstrap: int = 1000
    texts: int = 500
    seed: int = 0
    claims: bool = False


@dataclass
class KnowledgeOptions:
    """What `assay run` asks of embeddings and hidden layers after the report (docs/knowledge.md).

    ask: "embeddings", "neurons", "concepts"; nothing by default. layer: the hidden layer, null for the
    highest. neurons: how many are shown. steps: of their paths. texts: at most so many are explained.
    dimensions, sparsity: of the re-coded table. words, min_count: the judged words, the most frequent ones
    and how often they must occur in the training texts. concepts: a YAML file of a reader's concepts.
    corrections: a CSV file of what readers corrected. draws: random sets that each concept is compared with.
    pages: texts that have a page explained by these concepts, about `concepts.label`; 0: none.
    """

    ask: list[str] = field(default_factory=list)
    layer: str | None = None
    neurons: int = 8
    steps: int = 20
    texts: int = 200
    dimensions: int = 100
    sparsity: float = 0.5
    words: int = 5000
    min_count: int = 5
    concepts: str | None = None
    corrections: str | None = None
    draws: int = 999
    pages: int = 20


@dataclass
class ConceptOptions:
    """What `assay run` asks of models that answer auxiliary questions after the report (docs/concepts.md).

    ask: "pages", a page per case and portfolio, "judges", tables of how far the explanations can be believed,
    or both; nothing by default. label: that pages are about, null for the last of the task. title, noun: of
    pages; what they call a text. texts: at most so many are explained. share: the price of a word, as a share
    of the largest score, when the words of a concept are chosen. budget: how many concepts, or words, of a
    text the linear reader sees.
    """

    ask: list[str] = field(default_factory=list)
    label: str | None = None
    title: str | None = None
    noun: str = "report"
    texts: int = 200
    share: float = 0.4
    budget: int = 3


@dataclass
class Run:
    """One trial's configuration, and the axes (`sweep`) that cross it into an experiment.

    limits: by model name, `default` for the others and for what a model's own do not say, how many texts of
    each of SPLITS are used; null for all. A label-stratified, seeded sample is drawn. test may be "auto", 200
    with a model that is trained, all with a finished one (harness/config/finished.py).
    sweep: override key to list of values, for example {task: [planted, reviews], seed: [0, 1]}; a key given
    on the command line replaces its axis.
    annotators: what metrics take of several annotators' rationales, unless they say otherwise.
    workers: jobs at once, each in a process of its own, unless a launcher is chosen; null for as many as
    cores and memory allow.
    shard: texts in one file of explanations. shards_per_job: a trial with more is cut into several jobs;
    portion: which of them this is, set by the run. only_failed: leave what is missing but did not fail, set
    by `assay retry` to the ledger's names of the trials that failed as a whole. axes: the swept settings that
    names must hold (`assay.harness.config.variants.varied`), set by the sweep.
    """

    name: str = "trial"
    seed: int = 0
    explainer_seeds: list[int] = field(default_factory=lambda: [0])
    targets: Targets = Targets.all
    limits: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, list[Any]] = field(default_factory=dict)
    annotators: str = "union"
    controls: list[str] = field(default_factory=lambda: list(CONTROLS))
    store: str = "assay-store"
    workers: int | None = 1
    shard: int = 256
    shards_per_job: int | None = None
    portion: int = 0
    only_failed: list[str] | None = None
    axes: dict[str, int] = field(default_factory=dict)
    engine: EngineOptions = field(default_factory=EngineOptions)
    report: ReportOptions = field(default_factory=ReportOptions)
    knowledge: KnowledgeOptions = field(default_factory=KnowledgeOptions)
    concepts: ConceptOptions = field(default_factory=ConceptOptions)
    task: Any = None
    model: Any = None
    explainer: dict[str, Any] = field(default_factory=dict)
    baseline: dict[str, Any] = field(default_factory=dict)
    removal: dict[str, Any] = field(default_factory=dict)
    metric: dict[str, Any] = field(default_factory=dict)


def register() -> None:
    """Make the schema known to Hydra under the name that conf/config.yaml builds on."""
    ConfigStore.instance().store(name=SCHEMA_FILE, node=Run)
