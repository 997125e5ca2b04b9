"""The values that settings of the schema may have. Checked before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from assay.harness.config.build import build, check_parts
from assay.harness.config.compose import SCHEMA
from assay.harness.config.engines import read_precision
from assay.harness.config.keys import nested, plain
from assay.harness.config.offered import offered
from assay.harness.config.schema import CONCEPTS, EMBEDDINGS, JUDGES, NEURONS, PAGES, SPLITS, Targets
from assay.metrics.rationales import ANNOTATORS
from assay.tasks.concepts import read_concepts
from assay.tasks.errors import InputError, check_choice, check_positive, did_you_mean, shown

# numpy's generators and scikit-learn take seeds of 32 bits.
MAX_SEED = 2**32 - 1
# More threads than any machine has processors end the process without a message.
MAX_THREADS = 1024
# Processes of which each holds a model.
MAX_WORKERS = 256
# Folder names have at most 255 bytes, and reports add to a name.
MAX_NAME = 100

# A job may run on another machine, so whether it has the device is seen there.
DEVICES = r"(cpu|cuda|mps|xpu)(:\d+)?"


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers from low to high, both included; high None: no upper end."""

    low: int
    high: int | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        return f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"


SEEDS = Range(0, MAX_SEED)
RANGES: dict[str, Range] = {
    "seed": SEEDS,
    "shard": Range(1),
    "shards_per_job": Range(1),
    "portion": Range(0),
    "workers": Range(1, MAX_WORKERS),
    "engine.budget": Range(1),
    "engine.threads": Range(1, MAX_THREADS),
    "report.bootstrap": Range(20),
    "report.texts": Range(0),
    "report.seed": SEEDS,
    "knowledge.neurons": Range(1),
    "knowledge.steps": Range(1),
    "knowledge.texts": Range(1),
    "knowledge.dimensions": Range(1),
    "knowledge.words": Range(50),
    "knowledge.min_count": Range(1),
    "knowledge.draws": Range(19),
    "knowledge.pages": Range(0),
    "concepts.texts": Range(1),
    "concepts.budget": Range(1),
}


def check_ranges(config: DictConfig, explainers: Sequence[str]) -> None:
    """Check the settings of one trial that the schema alone does not.

    Args:
        config: the trial's configuration.
        explainers: the names of all that could be chosen.

    Raises:
        InputError: the first setting that is out of range, empty, or names something that does not exist.
    """
    for unknown in sorted({*map(str, config)} - SCHEMA):
        raise InputError(f"there is no setting {unknown!r}; {did_you_mean(unknown, sorted(SCHEMA))}")
    for setting, allowed in RANGES.items():
        _check_number(setting, OmegaConf.select(config, setting), allowed)
    check_choice("annotators", str(config.annotators), ANNOTATORS)
    for part in config.knowledge.ask:
        check_choice("knowledge.ask", part, (EMBEDDINGS, NEURONS, CONCEPTS))
    if CONCEPTS in config.knowledge.ask:
        if config.knowledge.concepts is None:
            raise InputError(
                "knowledge.ask has concepts, but no file names them; set knowledge.concepts=<a YAML file>"
            )
        read_concepts(str(config.knowledge.concepts))
    check_positive("knowledge.sparsity", config.knowledge.sparsity)
    _check_concepts(config)
    for model, limits in config.limits.items():
        _check_limits(f"limits.{model}", limits)
    _check_seeds(list(config.explainer_seeds))
    _check_text("name", str(config.name))
    _check_text("store", str(config.store), longest=None)
    if not re.fullmatch(DEVICES, config.engine.device):
        raise InputError(f"engine.device is {config.engine.device!r}; expected cpu, cuda or cuda:0")
    read_precision(config.engine)
    known = {*map(str, config.explainer), *explainers}
    for control in config.controls:
        if control not in known:
            raise InputError(
                f"controls names the explainer {control!r}; {did_you_mean(control, sorted(known))}"
            )


def check_task_and_model(config: DictConfig) -> None:
    """Check the names of a trial's task and model, and their settings as far as Assay's own code takes them.

    A model of Assay is built, since that only holds its settings; a task is not, since that reads its texts.

    Raises:
        InputError: a name that is no plain text, or settings of another type or out of range.
    """
    for group in ("task", "model"):
        settings = plain(config[group])
        if not isinstance(settings, dict) or "_target_" not in settings:
            raise InputError(
                f"{group} is {shown(settings)}; expected a choice, as in {group}={offered(group)[0]}"
            )
        name = settings.get("name")
        if not isinstance(name, str):
            raise InputError(f"{group}.name is {shown(name)}; expected a plain name")
        _check_text(f"{group}.name", name)
        for part in nested(settings):
            own = isinstance(part, dict) and str(part.get("_target_", "")).startswith(f"assay.{group}s.")
            if own and group == "model":
                build(part)
            elif own:
                check_parts(part)


def check_chosen(config: DictConfig) -> None:
    """Raise InputError where an experiment has nothing to explain, or nothing to score."""
    for group in ("explainer", "metric"):
        if not config[group]:
            raise InputError(f"no {group} is chosen; choose some, as in {group}=[{offered(group)[0]}]")


def _check_concepts(config: DictConfig) -> None:
    for part in config.concepts.ask:
        check_choice("concepts.ask", part, (PAGES, JUDGES))
    if not 0 <= config.concepts.share < 1:
        raise InputError(f"concepts.share is {config.concepts.share}; expected from 0 to below 1")
    if config.concepts.ask and config.targets is not Targets.all:
        raise InputError(
            f"concepts.ask compares labels, but targets is {config.targets.name}; set targets=all, or "
            "concepts.ask=[]"
        )


def _check_number(setting: str, value: Any, allowed: Range) -> None:
    if value is not None and value not in allowed:
        raise InputError(f"{setting} is {value}; expected a whole number, {allowed}")


def _check_limits(setting: str, limits: Any) -> None:
    if not isinstance(limits, DictConfig):
        raise InputError(f"{setting} is {shown(limits)}; expected numbers, as in {setting}.test=50")
    for split, limit in limits.items():
        if split not in SPLITS:
            raise InputError(f"there is no setting '{setting}.{split}'; {did_you_mean(str(split), SPLITS)}")
        if (split, limit) != ("test", "auto"):
            _check_number(f"{setting}.{split}", limit, Range(1))


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise InputError("explainer_seeds is empty; expected at least one seed, as in explainer_seeds=[0]")
    for seed in seeds:
        _check_number("explainer_seeds", seed, SEEDS)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"explainer_seeds is {list(seeds)}; expected different seeds")


def _check_text(setting: str, text: str, longest: int | None = MAX_NAME) -> None:
    for problem in _problems(text, longest):
        raise InputError(f"{setting} is {text[:60]!r}, {problem}; expected a plain name")


def _problems(text: str, longest: int | None) -> Iterator[str]:
    if not text.strip():
        yield "which is empty"
    if longest is not None and len(text.encode("utf-8", "replace")) > longest:
        yield f"which is longer than {longest} bytes"
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text):
        yield "which holds a control character"
