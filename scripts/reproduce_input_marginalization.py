"""Input Marginalization against its paper: is it the sum it claims to be, and who says that it beats erasure?

    python scripts/reproduce_input_marginalization.py [--quick] [--models NAME ...] [--texts N] [--train N]
        [--minutes N] [--top_k N] [--mlm FOLDER] [--tweets FOLDER] [--tweet_models NAME ...]

1. The mechanism: scores by token equal the paper's sums, written out here replacement by replacement, and the
   rows of both models are one per different text and one per token.
2. AUC_rep (lower is better) of Input Marginalization, `mlm`, and of erasure: the same log-odds, where a token
   becomes `unk`, a zero vector, or is deleted. Tokens are replaced by draws from the masked language model,
   as in the paper; it made the scores of `mlm`, too. And they are deleted, which shares nothing with `mlm`
   (but all with the erasure `delete`). p: of mlm against an erasure, by swapping the two text by text.
3. With --tweets (the folder with train.csv of Tweet Sentiment Extraction) the same on tweets, and agreement
   with the phrase that people marked, which shares nothing with any of them.
The masked language model is trained on the training texts until its perplexity on development texts stalls,
--minutes of the processor at most; the lines below its name say which of the two ended it. --mlm takes that
of a folder, with minilm's tokenizer; it goes with --models minilm.
The bar: scores differ from the sums by at most 0.001 bits, and the rows are as many as they should be. The
paper's order, mlm < unk < zero, is reported. --quick: the cnn on few texts; under a minute.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from bar import Table, finish, options
from numpy.typing import NDArray
from scipy.special import softmax

import assay
from assay.explainers.controls.controls import Random
from assay.explainers.explanation import Explanation
from assay.explainers.marginal.mixture import Mixture
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.perturbation.occlusion import Occlusion
from assay.harness.interface.classifiers import Classifier
from assay.harness.storage.store import Store
from assay.harness.trials.masked_lms import trained_mlm, with_masked_lm
from assay.harness.trials.train_mlm import described
from assay.models.encoding import Encoding
from assay.models.masked_inputs import MaskedInputs
from assay.models.trained_mlm import TrainedMLM
from assay.tasks.example import Task

CLOSE = 1e-3
# Texts whose scores are compared with written sums, and replacements that a metric draws.
CHECKED, DRAWS = 3, 10
MLM, ERASURES = "input_marginalization", ("unk", "zero", "delete")
METHODS = (MLM, *(f"occlusion ({erasure})" for erasure in ERASURES), "random")


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared. shares: the baseline that a metric shares its operator with."""

    metric: str
    part: str
    title: str
    lower_is_better: bool
    shares: str


AREAS = (
    Measure("auc_rep", "area", "AUC_rep by mlm ↓", True, "mlm"),
    Measure("auc_rep[delete]", "area", "AUC_rep by delete ↓", True, "delete"),
)
HUMAN = Measure("human_agreement", "ap", "human agreement ↑", False, "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """mlm against one erasure: whether it is better on average, and how surely."""

    measure: Measure
    erasure: str
    better: bool
    p: float


@dataclass(slots=True)
class Findings:
    """Of all tasks and models. sums: the largest difference from a written sum, in bits, and whether the rows
    are right. test: whether every masked language model beats counts of neighbours; None where none was
    measured, which is only done with those that are trained here."""

    verdicts: list[Verdict] = field(default_factory=list)
    sums: list[tuple[float, bool]] = field(default_factory=list)
    test: bool | None = None


def written(model: Classifier, mixture: Mixture, text: Encoding) -> tuple[NDArray[np.float64], int]:
    """(K, T) bits of every token by the paper's sum, and how many different texts are in the sums."""

    def rows(ids: NDArray[np.int32]) -> MaskedInputs:
        segments = np.broadcast_to(text.type_ids, ids.shape)
        return MaskedInputs(ids, segments, np.full(len(ids), len(text), dtype=np.int32))

    def probabilities(ids: NDArray[np.int32]) -> NDArray[np.float64]:
        return softmax(model.engine.logits([rows(ids)])[0], axis=1)

    def bits(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log2(p) - np.log2(1 - p)

    full = probabilities(text.ids[None])[0]
    found, texts = np.zeros((len(full), len(text))), 1
    for place in np.flatnonzero(text.content).tolist():
        masked = text.ids[None].copy()
        masked[0, place] = mixture.mlm.mask_id
        p = np.exp(next(model.engine.fill(mixture.mlm, [rows(masked)]).batches).log_probabilities[0])
        chosen = np.sort(np.argsort(-p, kind="stable")[: mixture.selection.top_k])
        ids, p = mixture.mlm.ids[chosen], p[chosen]
        replaced = np.repeat(text.ids[None], len(ids), axis=0)
        replaced[:, place] = ids
        found[:, place] = bits(full) - bits(p @ probabilities(replaced) / p.sum())
        texts += int((ids != text.ids[place]).sum())
    return found, texts


def mechanism(
    model: Classifier, mixture: Mixture, explained: Sequence[Sequence[Explanation]], task: Task
) -> tuple[float, bool]:
    """The largest difference from the written sums, in bits, and whether the rows are those of the sums."""
    worst, right = 0.0, True
    texts = model.model.encode([example.texts for example in task.test[: len(explained)]])
    for records, text in zip(explained, texts, strict=True):
        bits, rows = written(model, mixture, text)
        worst = max(worst, float(np.abs(np.stack([one.scores for one in records]) - bits).max()))
        cost = records[0].cost
        right &= (cost.forward_rows, cost.mlm_rows) == (rows, int(text.content.sum()))
    return worst, right


def values(
    explanations: Any, measures: Sequence[Measure], drawn: MaskedLanguageModel
) -> dict[tuple[str, str], pd.Series]:
    """By measure and method what every text gets."""
    names = list(dict.fromkeys(measure.metric.split("[")[0] for measure in measures))
    frame = assay.score(explanations, names, removal={"mlm": drawn, "delete": "delete"}).to_frame()
    found: dict[tuple[str, str], pd.Series] = {}
    for measure in measures:
        chosen = frame[(frame["metric"] == measure.metric) & (frame["part"] == measure.part)]
        table = chosen.pivot_table(index="unit", columns="method", values="value")
        columns = {method: cast(pd.Series, table[method]) for method in METHODS if method in table}
        found |= {(measure.title, method): values.dropna() for method, values in columns.items()}
    return found


def p_value(one: pd.Series, other: pd.Series) -> float:
    """Of the mean difference over the texts, two-sided, by swapping the two at random text by text."""
    differences = (one - other).dropna().to_numpy()
    swaps = np.random.default_rng(0).choice([-1.0, 1.0], size=(9999, len(differences)))
    # Sums of the same numbers in another order differ by rounding.
    extreme = np.abs(swaps @ differences) >= abs(differences.sum()) - 1e-12
    return float((1 + extreme.sum()) / (1 + len(swaps)))


def compared(
    name: str, found: Mapping[tuple[str, str], pd.Series], measures: Sequence[Measure], table: Table
) -> Iterator[Verdict]:
    """A line per measure: the means, and p of mlm against each erasure."""
    for measure in measures:
        of_texts = [found[measure.title, method] for method in METHODS]
        mean, *means = (float(values.mean()) for values in of_texts)
        p = [p_value(of_texts[0], other) for other in of_texts[1:-1]]
        table.row(name, measure.title, len(of_texts[0]), mean, *means, *p)
        for erasure, other, chance in zip(ERASURES, means[:-1], p, strict=True):
            better = (mean < other) == measure.lower_is_better
            yield Verdict(measure, erasure, better, chance)


def explore(
    task: Task,
    names: Sequence[str],
    baseline: MaskedLanguageModel,
    measures: Sequence[Measure],
    findings: Findings,
) -> None:
    """Print what is found on a task, and add it to the findings."""
    lines: dict[tuple[str, ...], list[str]] = {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for name in names:
            model = assay.fit(name, task)
            fitted = with_masked_lm(baseline, model.engine, task.train, task.dev, store)
            if baseline.path is None:
                _, record = trained_mlm(baseline, model.engine, task.train, task.dev, store)
                lines.setdefault(tuple(described(record)), []).append(name)
                findings.test = findings.test is not False and bool(record["beats_trigram"])
            by_mlm = assay.explain(model, task.test, [MLM], baseline=baseline, store=folder)
            findings.sums.append(mechanism(model, cast(Mixture, fitted), by_mlm[MLM].records[:CHECKED], task))
            methods = {"occlusion": Occlusion(output="log2_odds"), "random": Random()}
            erased = assay.explain(model, task.test, methods, baseline=list(ERASURES), store=folder)
            drawn = replace(baseline, top_k=None, mc_samples=DRAWS)
            found[name] = values(by_mlm, measures, drawn) | values(erased, measures, drawn)
    print(f"\n{task.name}: {len(task.train)} texts to train, {len(task.test)} explained")
    for of_lines, of_names in lines.items():
        print(f"masked language model of {', '.join(of_names)}", *of_lines, sep="\n")
    print()
    columns = {name: ".3f" for name in ("mlm", *ERASURES, "random", *(f"p, {name}" for name in ERASURES))}
    table = Table("model", "measure", texts="d", **columns)
    for name, of_name in found.items():
        findings.verdicts += compared(name, of_name, measures, table)


def conclusions(findings: Findings) -> Iterator[str]:
    """What the findings say of the paper's claim."""
    for title, measures in (
        ("By AUC_rep with the masked language model, which also made the scores of mlm", AREAS[:1]),
        ("By measures that share nothing with either side", (*AREAS[1:], HUMAN)),
    ):
        for erasure in ERASURES:
            of = [v for v in findings.verdicts if v.measure in measures and v.erasure == erasure]
            of = [v for v in of if v.measure.shares != erasure]
            sure = [v.better for v in of if v.p < 0.05]
            if of:
                yield (
                    f"{title}, Input Marginalization is better than {erasure} in {sum(sure)} and worse in "
                    f"{len(sure) - sum(sure)} of {len(of)} comparisons at p < 0.05"
                )
    if findings.test is None:
        yield (
            "How many words the given masked language model names right was not measured: whether this is a "
            "test of the paper's claim is for you to say"
        )
    else:
        yield (
            "The masked language models name more words right than counts of neighbours do"
            if findings.test
            else "A masked language model does not name more words right than counts of neighbours do: this "
            "is not a test of the paper's claim, which is about BERT"
        )


def main() -> None:
    chosen = options(
        __doc__,
        "the cnn on few texts; under a minute",
        models=(["cnn", "lstm", "minilm"], "models to explain"),
        texts=(40, "texts to explain"),
        train=(1000, "texts to train with"),
        minutes=(20.0, "of the processor at most, to train a masked language model"),
        top_k=(10, "replacements of a token, the most probable ones"),
        mlm=("", "the folder of a masked language model with minilm's tokenizer"),
        tweets=("", "the folder with train.csv of Tweet Sentiment Extraction"),
        tweet_models=(["cnn", "lstm"], "models to explain on tweets"),
    )
    torch.set_num_threads(1)
    names, texts, train = chosen.models, chosen.texts, chosen.train
    minutes = chosen.minutes
    if chosen.quick:
        names, texts, train, minutes = ["cnn"], 15, 800, 0.1
    baseline = MaskedLanguageModel(
        path=chosen.mlm or None,
        sigma=None,
        top_k=chosen.top_k,
        trained=TrainedMLM(minutes=minutes),
    )
    findings = Findings()
    explore(assay.task("reviews", train=train, dev=train // 8, test=texts), names, baseline, AREAS, findings)
    if chosen.tweets:
        tweets = assay.task("tweet_sentiment", path=chosen.tweets)
        some = replace(
            tweets, train=tweets.train[:train], dev=tweets.dev[: train // 8], test=tweets.test[:texts]
        )
        explore(some, names if chosen.quick else chosen.tweet_models, baseline, (*AREAS, HUMAN), findings)
    else:
        print("\nHuman agreement is left out; give --tweets FOLDER (train.csv of Tweet Sentiment Extraction)")
    print()
    for line in conclusions(findings):
        print(f"- {line}.")
    worst, right = max(bits for bits, _ in findings.sums), all(rows for _, rows in findings.sums)
    finish(
        worst <= CLOSE and right,
        f"scores differ from the written sums by at most {worst:.1e} bits (bar: {CLOSE}); the rows of both "
        f"models are {'' if right else 'not '}those of the sums",
    )


if __name__ == "__main__":
    main()
