"""What a plan must know of a trial's texts. Large tasks are counted and sampled, not loaded."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from assay.harness.config.choice import choose
from assay.harness.config.keys import canonical, key
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.plan import Trial, limits_of, load_task, load_trial, title
from assay.models.vocabulary import find_words
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.glimpse import Glimpse, Sizes, glimpse

# Trials of more texts than this keep their names in the store, for plans that do not load the texts.
LARGE = 20_000
# Names nothing in any store.
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """A trial as a plan sees it.

    trial: with all its texts or, of a large task, with a sample of them. sizes: of all its splits. known:
    whether its names are those of all texts, so that the store can be asked what is there. loading: seconds
    to read all texts of the task. lengths, count: (L,) numbers of words of the explained texts, as far as the
    model reads them, and (L,) how many texts have them.
    """

    trial: Trial
    sizes: Sizes
    known: bool
    loading: float
    lengths: NDArray[np.intp]
    count: NDArray[np.float64]


def outlooks(configs: Sequence[DictConfig], store: Store) -> tuple[list[Outlook], list[str]]:
    """Every trial whose texts can be read; of the others the title and what is wrong."""
    found: list[Outlook] = []
    unread: list[str] = []
    loaded: dict[str, tuple[Glimpse | Task, float]] = {}
    for config in configs:
        try:
            source = canonical(config.task)
            if source not in loaded:
                began = time.perf_counter()
                seen = glimpse(_plain(config.task)) or load_task(config)
                loaded[source] = seen, time.perf_counter() - began
            found.append(_outlook(config, *loaded[source], store))
        except InputError as error:
            unread.append(f"{title(config)}: {error}")
    return found, unread


def _outlook(config: DictConfig, seen: Glimpse | Task, seconds: float, store: Store) -> Outlook:
    if isinstance(seen, Task):
        began = time.perf_counter()
        trial = load_trial(config, seen)
        lengths, count = np.unique(_words(trial), return_counts=True)
        loading = seconds + time.perf_counter() - began
        return Outlook(trial, _sizes(trial.task), True, loading, lengths, count.astype(np.float64))
    limits = limits_of(config)
    sizes = Sizes(*(_least(getattr(seen.sizes, split), limits.get(split)) for split in Sizes._fields))
    names = read_json(_memory(config, store)) or {"model_key": UNSEEN, "explained": UNSEEN}
    part = replace(
        seen.sample,
        **{split: getattr(seen.sample, split)[: getattr(sizes, split)] for split in Sizes._fields},
    )
    trial = Trial(
        config, part, choose(config), names.get("model_key", UNSEEN), names.get("explained", UNSEEN)
    )
    lengths, count = np.unique(_words(trial), return_counts=True)
    known, all_count = names["explained"] != UNSEEN, count.astype(np.float64) * sizes.test / len(part.test)
    return Outlook(trial, sizes, known, seen.loading, lengths, all_count)


def words(example: Example) -> int:
    """How long a text, or a pair of texts, is."""
    return sum(len(find_words(text)) for text in example.texts)


def _words(trial: Trial) -> NDArray[np.intp]:
    # A model that knows its limit reads no more.
    most = trial.config.model.get("max_tokens") or sys.maxsize
    return np.array([min(words(example), most) for example in trial.task.test])


def remember(trial: Trial, store: Store) -> None:
    """Keep the names of a large trial in the store, so that a plan finds its cells without its texts."""
    path = _memory(trial.config, store)
    if sum(_sizes(trial.task)) > LARGE and not path.exists():
        write_json(path, {"model_key": trial.model_key, "explained": trial.explained})


def _memory(config: DictConfig, store: Store) -> Path:
    """By everything that decides which texts the trial has, of files their size and date, and the model."""
    task = _plain(config.task)
    files = [Path(value) for value in task.values() if isinstance(value, str)]
    folder = Path(str(task.get("path") or "."))
    stamps = [
        (str(file), file.stat().st_size, file.stat().st_mtime_ns)
        for file in dict.fromkeys([*files, *(folder / file for file in files)])
        if file.is_file()
    ]
    about = task, config.model, int(config.seed), limits_of(config), stamps
    return store.root / "tasks" / f"{key('texts', *about)}.json"


def _sizes(task: Task) -> Sizes:
    return Sizes(len(task.train), len(task.dev), len(task.test))


def _least(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)


def _plain(config: Any) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(name): value for name, value in plain.items()}
