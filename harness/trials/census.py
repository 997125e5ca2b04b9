"""What a plan must know of a trial's texts. Large tasks are previewed, not loaded."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_object
from numpy.typing import NDArray
from omegaconf import DictConfig

from assay.harness.config.build import check_target
from assay.harness.config.choice import choose, on_groups
from assay.harness.config.keys import canonical, content, groups_key, key
from assay.harness.config.schema import Targets
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.loading import (
    TrialCache,
    check_texts,
    limits_of,
    load_task,
    load_trial,
    task_settings,
)
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import title
from assay.models.vocabulary import find_words
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.grouping import clusters
from assay.tasks.preview import Preview, Sizes, preview

# Trials of more texts than this keep their names in the store, for plans that do not load the texts.
LARGE = 20_000
# Names nothing in any store.
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True, eq=False)
class TrialPreview:
    """A trial as a plan sees it.

    Attributes:
        trial: with all its texts or, of a large task, with a sample of them.
        sizes: of all its splits.
        loading: seconds to read all texts of the task.
        lengths: (L,) numbers of words that explained texts have, as far as the model reads them, ascending.
        count: (L,) how many texts have each of these lengths.
    """

    trial: Trial
    sizes: Sizes
    loading: float
    lengths: NDArray[np.intp]
    count: NDArray[np.float64]

    @property
    def known(self) -> bool:
        """Whether its names are those of all texts, so that stored cells can be looked up."""
        return self.trial.explained != UNSEEN

    @property
    def words(self) -> int:
        """How many different words the training texts have, of a large task those of the sample."""
        texts = (text for example in self.trial.task.train for text in example.texts)
        return len({word.text.lower() for text in texts for word in find_words(text)})

    @property
    def targets(self) -> int:
        """How many classes of a text are explained."""
        return len(self.trial.task.labels) if self.trial.config.targets is Targets.all else 1


def outlooks(configs: Sequence[DictConfig], store: Store) -> tuple[list[TrialPreview], list[str]]:
    """Every trial whose texts can be read; of the others the title and what is wrong."""
    readable: list[TrialPreview] = []
    unread: list[str] = []
    loaded: dict[str, tuple[Preview | Task, float]] = {}
    for config in configs:
        try:
            source = canonical(task_settings(config))
            if source not in loaded:
                began = time.perf_counter()
                task = _preview_task(task_settings(config)) or load_task(config)
                loaded[source] = task, time.perf_counter() - began
            readable.append(_preview_trial(config, *loaded[source], store))
        except InputError as error:
            unread.append(f"{title(config)}: {error}")
    return readable, unread


def _preview_task(task: dict[str, Any]) -> Preview | None:
    target = str(task.pop("_target_", ""))
    check_target(target)
    return preview(get_object(target), task)


def _preview_trial(config: DictConfig, task: Preview | Task, seconds: float, store: Store) -> TrialPreview:
    if isinstance(task, Task):
        began = time.perf_counter()
        trial = load_trial(config, TrialCache(tasks={canonical(task_settings(config)): task}))
        return preview_loaded(trial, loading=seconds + time.perf_counter() - began)
    check_texts(config, task.sample)
    limits, sizes = limits_of(config), task.sizes._asdict()
    sizes |= {split: min(sizes[split], most) for split, most in limits.items() if most is not None}
    sample = replace(task.sample, **{split: getattr(task.sample, split)[:n] for split, n in sizes.items()})
    names = read_json(_names_path(config, store)) or {"model_key": UNSEEN, "explained": UNSEEN}
    choice = choose(config)
    trial = Trial(
        config,
        sample,
        # Records of tasks without groups, and of earlier versions, do not tell.
        replace(choice, metrics=on_groups(choice.metrics, names.get("groups", ""))),
        names["model_key"],
        names["explained"],
        available=task.sizes.test,
    )
    return preview_loaded(trial, Sizes(**sizes), task.loading)


def preview_loaded(trial: Trial, sizes: Sizes | None = None, loading: float = 0.0) -> TrialPreview:
    """The preview of a trial with all its texts or, if `sizes` are given, with a sample of them."""
    sizes = sizes or _sizes(trial.task)
    # A model that knows its limit reads no more.
    most = trial.config.model.get("max_tokens") or sys.maxsize
    lengths = [min(words(example), most) for example in trial.task.test]
    values, count = np.unique(np.array(lengths), return_counts=True)
    texts = count.astype(np.float64) * (sizes.test / len(lengths))
    return TrialPreview(trial, sizes, loading, values, texts)


def words(example: Example) -> int:
    """Number of words of a text, or of a pair of texts together."""
    return sum(len(find_words(text)) for text in example.texts)


def remember(trial: Trial, store: Store) -> None:
    """Keep the names of a large trial in the store, so that a plan finds its cells without its texts."""
    if sum(_sizes(trial.task)) > LARGE:
        path, groups = _names_path(trial.config, store), groups_key(clusters(trial.task.test))
        names = {"model_key": trial.model_key, "explained": trial.explained}
        names |= {"groups": groups} if groups else {}
        if read_json(path) != names:
            write_json(path, names)


def _names_path(config: DictConfig, store: Store) -> Path:
    """By everything that decides which texts the trial has, of files their size and date, and the model."""
    task = task_settings(config)
    files = [Path(value) for value in task.values() if isinstance(value, str)]
    folder = Path(str(task.get("path") or "."))
    stamps = [
        (str(file), file.stat().st_size, file.stat().st_mtime_ns)
        for file in dict.fromkeys([*files, *(folder / file for file in files)])
        if file.is_file()
    ]
    about = task, config.model, int(config.seed), limits_of(config), stamps
    return store.texts(key("texts", *about, *content(config.model)))


def _sizes(task: Task) -> Sizes:
    return Sizes(len(task.train), len(task.dev), len(task.test))
