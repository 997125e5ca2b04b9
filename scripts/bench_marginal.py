"""What Input Marginalization costs beside the rows that it asks for, by token; and a pass of DiffMask.

    python scripts/bench_marginal.py [--quick] [--models NAME ...] [--replacements NAME ...] [--texts N]
        [--rounds N] [--mlm FOLDER]

The explainer runs on review sentences with the baseline `mlm`, by its default threshold and by the ten most
probable tokens. Beside it runs the engine alone, on the same rows of the classifier and of the masked
language model, each in one call. Both are in one process, on one thread, and take turns; every round has its
own texts. Counted are seconds of the processor, so that other processes count little. The bar: on every line
the explainer takes at most 1.15 times what the engine takes for its rows (median of the rounds' ratios).
The masked language model is trained for a moment only, so it finds many replacements probable. --mlm takes
that of a folder, with minilm's tokenizer, for minilm alone. minilm is measured with few replacements only.
DiffMask's gates are trained for a moment, too, which changes no time: after training, explaining the texts is
timed beside the engine's answers to the same texts as they are. The bar: at most 1.5 times as long.
About three minutes; --quick: the cnn on few texts, under a minute.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import torch
from bar import Table, finish, options
from inputs import requests
from serving import processor

import assay
from assay.explainers.marginal.mixture import Mixture
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.masks.diffmask import DiffMask
from assay.explainers.perturbation.input_marginalization import InputMarginalization
from assay.models.counters import Answer, Counters
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.masked_lm import Filling, MaskedLM
from assay.models.trained_mlm import TrainedMLM
from assay.models.training import Training
from assay.tasks.example import Example, Task

MOST, MOST_OF_PASS = 1.15, 1.5
# Texts of a round in which a pass of DiffMask is timed.
PASSED = 200
# Rounds of few replacements have so many times the texts, or they were too short to time.
MORE = 8
CHOICES = {"sigma=1e-5": {}, "top_k=10": {"sigma": None, "top_k": 10}}


@dataclass(slots=True, eq=False)
class Recorder(Engine):
    """An engine that keeps what it is asked."""

    asked: list[MaskedInputs] = field(default_factory=list)
    filled: list[MaskedInputs] = field(default_factory=list)

    def answers(self, pool: Sequence[MaskedInputs]) -> list[Answer]:
        self.asked += pool
        return Engine.answers(self, pool)

    def fill(self, mlm: MaskedLM, pool: Sequence[MaskedInputs]) -> Filling:
        self.filled += pool
        return Engine.fill(self, mlm, pool)


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    began = time.process_time()
    call()
    return time.process_time() - began


class Round(NamedTuple):
    """Seconds of the explainer, of the engine on the classifier's rows and on those of the masked language
    model, and what the explainer asked for."""

    explainer: float
    of_rows: float
    of_masked: float
    asked: Counters

    @property
    def ratio(self) -> float:
        return self.explainer / (self.of_rows + self.of_masked)


def one_round(engine: Engine, baseline: Mixture, texts: Sequence[Example], turn: int) -> Round:
    """The turns are taken in one order and in the other."""
    asked = requests(engine, texts, range(len(engine.model.labels)))
    recorder = Recorder(engine.model, engine.device, engine.budget)
    InputMarginalization().explain(recorder, asked, baseline)

    def fill() -> None:
        for _ in engine.fill(baseline.mlm, recorder.filled).batches:
            pass

    calls = [
        lambda: InputMarginalization().explain(engine, asked, baseline),
        lambda: engine.answers(recorder.asked),
        fill,
    ]
    order = range(3) if turn % 2 else reversed(range(3))
    spent = {place: seconds(calls[place]) for place in order}
    return Round(spent[0], spent[1], spent[2], recorder.counters)


def pass_of_gates(model: assay.Classifier, task: Task, rounds: int) -> tuple[float, float, float]:
    """Seconds per text of the engine's answers and of DiffMask, and the median ratio, every gate network read
    in one pass."""
    engine, size = model.engine, len(task.test) // rounds
    trained = DiffMask(steps=2, batch_size=8).fitted(engine, task.train[:16])
    found = []
    for turn in range(rounds):
        asked = requests(engine, task.test[turn * size : (turn + 1) * size])
        calls = [
            lambda asked=asked: engine.probabilities([request.encoding for request in asked]),
            lambda asked=asked: trained.explain(engine, asked, None),
        ]
        calls[0]()
        order = range(2) if turn % 2 else reversed(range(2))
        spent = {place: seconds(calls[place]) / size for place in order}
        found.append((spent[0], spent[1], spent[1] / spent[0]))
    plain, gated, ratio = (statistics.median(values) for values in zip(*found, strict=True))
    return plain, gated, ratio


def main() -> None:
    chosen = options(
        __doc__,
        "the cnn on few texts; under a minute",
        models=(["cnn", "lstm", "minilm"], "models to explain"),
        replacements=(list(CHOICES), "which"),
        texts=(1, f"texts of a round; by top_k {MORE} times as many, but for minilm"),
        rounds=(5, "rounds of every line"),
        mlm=("", "the folder of a masked language model with minilm's tokenizer"),
    )
    torch.set_num_threads(1)
    print(f"{processor()}; torch {torch.__version__}, one thread\n")
    names = ["cnn"] if chosen.quick else ["minilm"] if chosen.mlm else chosen.models
    texts, rounds = (1, 3) if chosen.quick else (chosen.texts, chosen.rounds)
    task = assay.task("reviews", train=500, dev=200, test=texts * rounds * MORE)
    table = Table(
        "model",
        "replacements",
        rows=",.0f",
        rows_of_masked_LM=",.0f",
        **{"µs per row": ".1f"},
        **{"µs per masked row": ".0f", "rest": ".1%", "ratio": ".3f"},
    )
    worst, models = 0.0, {name: assay.fit(name, task, training={"epochs": 1}) for name in names}
    for name, model in models.items():
        spec = TrainedMLM(training=Training(epochs=1, batch_size=32, learning_rate=3e-3, mask_rate=0.15))
        default = MaskedLanguageModel(path=chosen.mlm or None, trained=spec)
        fitted = cast(Mixture, default.fitted(model.engine, task.train))
        for said in chosen.replacements:
            changes = CHOICES[said]
            if name == "minilm" and not changes:
                continue
            baseline = replace(fitted, selection=replace(default, **changes))
            size = texts * MORE if changes and name != "minilm" else texts
            found = [
                one_round(model.engine, baseline, task.test[turn * size : (turn + 1) * size], turn)
                for turn in range(rounds)
            ]
            rows = sum(each.asked.forward_rows for each in found)
            masked = sum(each.asked.mlm_rows for each in found)
            of_rows, of_masked = sum(each.of_rows for each in found), sum(each.of_masked for each in found)
            rest = 1 - (of_rows + of_masked) / sum(each.explainer for each in found)
            ratio = statistics.median(each.ratio for each in found)
            table.row(
                *(name, said, rows, masked, of_rows / rows * 1e6, of_masked / masked * 1e6, rest, ratio)
            )
            worst = max(worst, ratio)
    print(f"\nDiffMask after training, on {PASSED} texts a round\n")
    table = Table("model", **{"µs per text, answers": ".0f", "µs per text, diffmask": ".0f", "ratio": ".3f"})
    passed, texts = 0.0, assay.task("reviews", train=500, dev=200, test=PASSED * rounds)
    for name, model in models.items():
        plain, gated, ratio = pass_of_gates(model, texts, rounds)
        table.row(name, plain * 1e6, gated * 1e6, ratio)
        passed = max(passed, ratio)
    finish(
        worst <= MOST and passed <= MOST_OF_PASS,
        f"at most {worst:.3f} times the engine's time for the rows (bar: {MOST}); a pass of DiffMask takes "
        f"at most {passed:.3f} times one of the model (bar: {MOST_OF_PASS}); {processor()}",
    )


if __name__ == "__main__":
    main()
