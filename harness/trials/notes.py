"""What a reader must know of a trial's texts: how many are explained, and how much of them is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.harness.trials.plan import Trial


def limit_note(trial: Trial, explained: int) -> str | None:
    """The limit that is in force, in one sentence; None if all texts are explained.

    Args:
        trial: with the number of texts that could be explained.
        explained: how many of them are.
    """
    if trial.available is None or trial.available <= explained:
        return None
    name = trial.config.model.name
    entry = name if "test" in (trial.config.limits.get(name) or {}) else "default"
    return (
        f"{_name(trial)}: {explained:,} of {trial.available:,} texts are explained; "
        f"limits.{entry}.test=null explains all"
    )


def text_notes(trial: Trial, record: Mapping[str, Any]) -> Iterator[str]:
    """Everything to be said of a trial's texts, a sentence each.

    Args:
        trial: the trial.
        record: what trial.json says of it.
    """
    texts = len(trial.task.test)
    if (limit := limit_note(trial, texts)) is not None:
        yield limit
    if not trial.task.labelled:
        yield f"{_name(trial)}: the texts have no labels, so nothing is said of how good the model is"
    if votes := record.get("votes"):
        yield (
            f"{_name(trial)}: labels were voted for, and that with most votes is the gold label; seed "
            f"{trial.seed}: the model's probabilities are {votes['model']:.3f} from the shares of votes, "
            f"their mean is {votes['constant']:.3f} (total variation, {votes['texts']:,} texts)"
        )
    # Records of earlier versions have counted nothing.
    cut = record.get("cut")
    if cut and cut["texts"]:
        total = f" of {cut['of_tokens']:,}" if cut.get("of_tokens") else ""
        yield (
            f"{_name(trial)}: {cut['texts']:,} of {texts:,} texts are longer than the model reads and were "
            f"cut, by {cut['tokens']:,}{total} tokens"
        )
        if cut["partly"] or cut["wholly"]:
            yield (
                f"{_name(trial)}: of {cut['marked']:,} texts with rationales, {cut['wholly']:,} keep no "
                f"marked word and {cut['partly']:,} lose a part"
            )


def mlm_note(trial: Trial, about: Mapping[str, Any]) -> str:
    """How good a masked language model is, in one sentence, and what that means for results with it.

    Args:
        trial: the trial.
        about: what the record of a cell says of it.
    """
    model, trigram = about["model"], about["trigram"]
    sentence = (
        f"{_name(trial)}: the masked language model has perplexity {model['perplexity']:.0f} and names "
        f"{model['top_1']:.1%} of masked words of development texts, a trigram {trigram['top_1']:.1%}"
    )
    return sentence if about["beats_trigram"] else f"{sentence}; this is not a test of the paper's claim"


def _name(trial: Trial) -> str:
    """Its task and model; seeds explain the same texts."""
    return f"{trial.task_name} / {trial.model_name}"
