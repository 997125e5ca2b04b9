"""The masked language models that an experiment needs, trained on their own, and how good they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assay.harness.config.build import build
from assay.harness.storage.store import Store
from assay.harness.trials.masked_lms import to_train, trained_mlm, warnings
from assay.harness.trials.plan import Trial
from assay.harness.trials.ready_models import ready_model
from assay.models.engine import Engine
from assay.tasks.counted import counted

# What ended a training, by the word for it in its report.
ENDED = {
    "perplexity": "the perplexity on development texts stalled",
    "time": "its time was over, before the perplexity on development texts stalled",
    "epochs": "all epochs were done, before the perplexity on development texts stalled",
}


def train_all(trials: Sequence[Trial], store: Store) -> Iterator[str]:
    """Train those of the chosen baselines and removal operators; lines that tell of each, once."""
    told: set[str] = set()
    for trial in trials:
        for baseline in to_train(trial.choice):
            config, task = trial.config, trial.task
            ready = ready_model(config, task)
            # How a classifier reads texts does not depend on its training.
            model = ready[0] if ready else build(config.model).untrained(task, trial.seed)
            _, record = trained_mlm(
                baseline, Engine(model, config.engine.device), task.train, task.dev, store
            )
            if record["weights"] not in told:
                told.add(record["weights"])
                yield f"{trial.task_name} / {trial.model_name}"
                yield from described(record)


def described(record: dict[str, Any]) -> list[str]:
    """How good a masked language model is, beside counts of words."""
    lines = [
        f"  {name}: perplexity {record[part]['perplexity']:.1f}, top-1 {record[part]['top_1']:.1%}"
        for name, part in (("masked LM", "model"), ("trigram", "trigram"), ("unigram", "unigram"))
    ]
    lines.append(
        f"  {record['tokens']:,} masked tokens of development texts; {record['words']:,} words to choose "
        f"from, {record['candidates']:.0f} of them above 1e-5 on average"
    )
    lines.append(
        f"  {counted(len(record['epochs']), 'epoch')} in {record['cpu_seconds']:.0f} CPU seconds, ended "
        f"because {ENDED[record['stopped']]}"
    )
    return [*lines, *(f"  warning: {warning}" for warning in warnings(record))]
