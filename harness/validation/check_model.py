"""One model on a few texts of its task, before anything is explained: is it read right, is it good?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig

from assay.harness.config.build import build
from assay.harness.config.keys import canonical
from assay.harness.trials.checks import ALPHA, model_problems, model_remark
from assay.harness.trials.loading import TrialCache, load_trial
from assay.harness.trials.plan import Trial
from assay.harness.trials.ready_models import ready_model
from assay.metrics.cell_data import gold, predicted
from assay.models.engine import Engine
from assay.models.probe_texts import probe_texts
from assay.models.protocol import Model, capabilities
from assay.models.report import majority
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

# Texts of the task that the model is asked about.
TEXTS = 20
OK, NOTE, WRONG = "ok", "note", "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. kind: "ok", "note" or "wrong". sentence: what was found, what to do."""

    kind: str
    sentence: str


def distinct(configs: Sequence[DictConfig]) -> list[DictConfig]:
    """The first configuration of each task and model."""
    first: dict[str, DictConfig] = {}
    for config in configs:
        first.setdefault(canonical([config.task, config.model]), config)
    return list(first.values())


def findings(config: DictConfig) -> Iterator[Finding]:
    """What is right and wrong with a trial's model, as it is before any training; ends at the first failure.

    Nothing is written to the store.
    """
    try:
        trial = load_trial(config, TrialCache())
        task = trial.task
        yield Finding(OK, f"texts: {len(task.test)} to explain, with the labels {', '.join(task.labels)}")
        model, finished = _model(trial)
        yield Finding(OK, f"model: {type(model).__name__} with {_abilities(model)}")
        yield from _baselines(config, model)
        engine = Engine(model, device=config.engine.device, budget=config.engine.budget)
        yield from _answers(trial, engine)
        yield from _quality(trial, engine) if finished else [Finding(NOTE, "quality: it is not trained yet")]
    except InputError as error:
        yield Finding(WRONG, str(error))
    # Whatever a user's own code raises is what is wrong with it.
    except Exception as error:
        yield Finding(WRONG, " ".join(f"{type(error).__name__}: {error}".split()))


def _model(trial: Trial) -> tuple[Model, bool]:
    """The model and whether it is finished: explained without training."""
    ready = ready_model(trial.config, trial.task)
    if ready is not None:
        return ready[0], True
    spec: Any = build(trial.config.model)
    model = spec.untrained(trial.task, trial.seed)
    model.network.to(trial.config.engine.device).eval().requires_grad_(False)
    return model, spec.training.epochs == 0 and not spec.init_only


def _abilities(model: Model) -> str:
    known = ("gradients", "activations", "mask_token")
    return (
        ", ".join(name.replace("_", " ") for name in known if name in capabilities(model)) or "answers only"
    )


def _baselines(config: DictConfig, model: Model) -> Iterator[Finding]:
    """The chosen ways to take tokens away that this model does not allow."""
    for option, group in (("baseline", "baseline"), ("baseline@removal", "removal")):
        for name, entry in config[group].items():
            lacking = sorted(build(entry).needs - capabilities(model))
            if lacking:
                ability = lacking[0].replace("_", " ")
                yield Finding(
                    NOTE,
                    f"{option}={name}: the model has no {ability}, so nothing that uses it is computed; "
                    f"choose {option}=[delete]",
                )


def _answers(trial: Trial, engine: Engine) -> Iterator[Finding]:
    texts = probe_texts([example.texts for example in trial.task.test], TEXTS)
    encodings = engine.model.encode(texts)
    longest = max(map(len, encodings))
    cut = sum(encoding.truncated > 0 for encoding in encodings)
    if cut:
        yield Finding(
            NOTE, f"length: {cut} of {len(texts)} texts are cut at the model's limit of {longest} tokens"
        )
    else:
        yield Finding(OK, f"length: no text is cut, the longest has {longest} tokens")
    problems = model_problems(engine, texts, TEXTS)
    yield from (Finding(WRONG, f"answers: {problem}") for problem in problems)
    if not problems:
        alone = "alone" if engine.budget == 1 else "alone and in batches"
        yield Finding(OK, f"answers: the same in every call, {alone}, on {len(texts)} texts")


def _quality(trial: Trial, engine: Engine) -> Iterator[Finding]:
    """How the model does on a few texts, beside a constant answer."""
    task = trial.task
    # At random: files have periods, such as alternating labels.
    drawn = generator("check-model").permutation(len(task.test))[:TEXTS]
    few = [task.test[place] for place in drawn.tolist()]
    answers = engine.probabilities(engine.model.encode([example.texts for example in few]))
    decided = predicted(answers, multi_label=task.multi_label)
    right = gold(few, len(task.labels))
    beside = majority(right, decided, task.labels, multi_label=task.multi_label)
    if beside is None:
        yield Finding(NOTE, "quality: the texts have no labels")
        return
    remark = model_remark({"majority": asdict(beside), "kind": "trained"})
    if remark is None:
        yield Finding(
            OK, f"quality: right on {beside.right} of {beside.texts} texts, a constant on {beside.constant}"
        )
    else:
        yield Finding(WRONG if beside.p < ALPHA else NOTE, f"quality: {remark}")
