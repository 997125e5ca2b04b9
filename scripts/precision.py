"""What asking in bfloat16 and in mixed precision saves, and what it costs in accuracy.

    python scripts/precision.py [--quick] [--texts 200] [--first 0] [--rounds 5]

The models are MiniLM, fine-tuned on sentences of movie reviews (1,000 each, one epoch; 3 models of 3 seeds
and other sentences; --quick: one, with a random head). The method is KernelSHAP with 200 rows, absent tokens
masked, the logit of the predicted class.

Speed: rows of the method per second of the processor, each round in all precisions one after the other, in an
order that turns from round to round; the ratio to float32 of the median round. Error: of texts of 12 tokens
(--quick: 11), whose exact Shapley values are known by all coalitions in float32; mean squared error, each
text scaled by the variance of its values, over designs; of the same rows, and of as many as take the same
seconds as 200 in float32. Coverage: of texts of 6 to 20 tokens, each with one design and one sample of what
is asked twice; the share of tokens whose score in float32, by the same rows, is within the bound, averaged
per text; its 95 % interval is over texts, which the models share.

The last line says whether the bars are met: FASTER, SAME_ROWS and SAME_SECONDS of bfloat16, and .95 inside
the interval of the coverage at the default share asked twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from bar import Table, finish, options
from inputs import coalitions, requests, shapley_values
from numpy.typing import NDArray
from serving import processor

from assay.explainers.baselines import Mask
from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.conversation import Estimate
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.mixed import mixed_estimate
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.minilm import MiniLM
from assay.models.precision import FLOAT32, Precision
from assay.models.training import Training, fit
from assay.tasks.example import Example
from assay.tasks.reviews import reviews

ROWS, MASK = 200, Mask()
Floats = NDArray[np.float64]
TRAINING = Training(epochs=1, batch_size=16, learning_rate=5e-5, warmup=0.1, schedule="linear")
KINDS = {"float32": FLOAT32, "bfloat16": Precision("bfloat16"), "mixed": Precision("mixed")}
SHARES = (0.05, 0.1, Precision().asked_twice, 0.2, 0.3)
# Least speed and largest mean squared error, each a ratio to float32.
FASTER = {"bfloat16": 3.0, "mixed": 2.0}
SAME_ROWS, SAME_SECONDS = 1.05, 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One text's coalitions, the full and the empty one first, and its target's logits in both precisions."""

    coalitions: NDArray[np.bool_]
    float32: Floats
    bfloat16: Floats

    def at(self, design: NDArray[np.bool_]) -> NDArray[np.intp]:
        """(R,) where the coalitions of a design are."""
        place = {row.tobytes(): at for at, row in enumerate(self.coalitions)}
        return np.array([place[row.tobytes()] for row in design], dtype=np.intp)


class Both(NamedTuple):
    """A design's scores (n,): by rows in float32, in bfloat16, and mixed with its bounds."""

    float32: Floats
    bfloat16: Floats
    mixed: Floats
    bound: Floats


def build(seed: int, *, quick: bool) -> Engine:
    """One of the models."""
    task = reviews(train=3000, dev=200, test=10)
    part = replace(task, train=task.train[1000 * seed : 1000 * (seed + 1)])
    spec = MiniLM(training=TRAINING, init_only=quick)
    model = fit(spec, replace(part, train=part.train[:50]) if quick else part, seed)[0]
    model.network.requires_grad_(False)
    return Engine(model)


def sentences(engine: Engine, least: int, most: int, count: int, first: int = 0) -> list[Request]:
    """Requests for the predicted class of sentences with so many tokens, special ones apart.

    first: how many of them are left out before.
    """
    found: list[Example] = []
    for example in reviews(train=10, dev=10, test=6000).test:
        tokens = sum(int(one.content.sum()) for one in engine.model.encode([example.texts]))
        found += [example] if least <= tokens <= most else []
        if len(found) == first + count:
            break
    return requests(engine, found[first:])


def ask(engine: Engine, request: Request, wanted: NDArray[np.bool_]) -> Asked:
    """Every coalition in both precisions."""
    content, target = request.encoding.content, int(request.targets[0])
    ends = np.array([[True], [False]]).repeat(wanted.shape[1], axis=1)
    inside = ~(wanted.all(axis=1) | ~wanted.any(axis=1))
    every = np.concatenate([ends, wanted[inside]])
    keep = np.ones((len(every), len(content)), dtype=bool)
    keep[:, content] = every
    exact, reduced = (
        MASK.answers(one, [(request.encoding, keep)], "logit")[0].values[:, [target]]
        for one in (engine, engine.reduced())
    )
    return Asked(every, exact, reduced)


def estimates(asked: Asked, rows: int, share: float, seed: Sequence[int]) -> Both:
    """KernelSHAP by one design, in all precisions."""
    method, rng = KernelShap(rows=rows), np.random.default_rng(seed)
    design = method.design(asked.coalitions.shape[1], rng)
    at = asked.at(design)
    unique, place = np.unique(np.concatenate([[0, 1], at]), return_inverse=True)
    twice = AskedTwice(share, 2, np.zeros((0, 1)))
    chosen = twice.add(asked.bfloat16[unique], rng)
    twice.learn(chosen, asked.float32[unique][chosen])
    mixed = mixed_estimate(method, design, place[2:], twice)
    assert mixed.bound is not None
    plain = [_solved(method, design, values, at) for values in (asked.float32, asked.bfloat16)]
    exact, reduced = (one.scores[:, 0] for one in plain)
    return Both(exact, reduced, mixed.scores[:, 0], mixed.bound[:, 0])


def _solved(method: KernelShap, design: NDArray[np.bool_], values: Floats, at: NDArray[np.intp]) -> Estimate:
    return method.solve(design, values[at], values[0], values[1])


def speeds(engine: Engine, asked: Sequence[Request], rounds: int) -> dict[str, float]:
    """Rows of the method per second, as ratios to float32; prints them."""
    method = KernelShap(rows=ROWS)
    engines = {name: replace(engine, precision=precision) for name, precision in KINDS.items()}
    for one in engines.values():
        method.explain(one, asked[:1], MASK)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    rows = sum(records[0].cost.forward_rows for records in method.explain(engines["float32"], asked, MASK))
    names = list(engines)
    for number in range(rounds):
        for name in names[number % 3 :] + names[: number % 3]:
            began = time.process_time()
            method.explain(engines[name], asked, MASK)
            seconds[name].append(time.process_time() - began)
    table = Table("precision", rows_per_second=",.0f", ratio_to_float32=".2f", least=".2f", largest=".2f")
    found = {}
    for name, spent in seconds.items():
        ratios = [base / own for base, own in zip(seconds["float32"], spent, strict=True)]
        found[name] = median(ratios)
        table.row(name, rows / median(spent), found[name], min(ratios), max(ratios))
    return found


def errors(asked: Sequence[Asked], ratio: dict[str, float], draws: int) -> dict[tuple[str, str], float]:
    """Mean squared errors as ratios to float32's with ROWS rows; prints them."""
    found: dict[tuple[str, str], list[float]] = {}
    for number, text in enumerate(asked):
        # `coalitions` has the full one last and the empty one first.
        every = coalitions(text.coalitions.shape[1])
        exact = shapley_values(text.float32[text.at(every)])[:, 0]
        for draw in range(draws):
            of_rows = estimates(text, ROWS, Precision().asked_twice, [number, draw])
            by_time = {
                name: estimates(text, round(ROWS * ratio[name]), Precision().asked_twice, [number, draw])
                for name in ("bfloat16", "mixed")
            }
            for name in KINDS:
                error = float(np.mean((getattr(of_rows, name) - exact) ** 2) / exact.var())
                found.setdefault((name, "rows"), []).append(error)
            for name, one in by_time.items():
                error = float(np.mean((getattr(one, name) - exact) ** 2) / exact.var())
                found.setdefault((name, "seconds"), []).append(error)
    base = np.mean(found["float32", "rows"])
    ratios = {what: float(np.mean(values) / base) for what, values in found.items()}
    table = Table("precision", error_of_200_rows=".4f", error_in_equal_seconds=".3f")
    for name in KINDS:
        table.row(name, ratios[name, "rows"], ratios.get((name, "seconds"), 1.0))
    return ratios


def coverage(asked: Sequence[Sequence[Asked]], first: int) -> dict[float, tuple[float, float, float]]:
    """By share asked twice the coverage with its interval; prints it.

    asked: by model, the same texts. first: the number of the first, which its draws go by.
    """
    table = Table(
        "asked twice",
        coverage=".4f",
        low=".4f",
        high=".4f",
        **{"bound_/_score": ".3f", "error_/_bfloat16's": ".2f"},
    )
    found = {}
    for share in SHARES:
        inside, wide, away, plain = [], [], [], []
        for number, of_text in enumerate(zip(*asked, strict=True), start=first):
            one = [estimates(text, ROWS, share, [0, number, model]) for model, text in enumerate(of_text)]
            inside.append(np.mean([np.mean(np.abs(e.mixed - e.float32) <= e.bound) for e in one]))
            wide.append(np.mean([e.bound.mean() / e.float32.std() for e in one]))
            away.append(np.mean([np.mean((e.mixed - e.float32) ** 2) / e.float32.var() for e in one]))
            plain.append(np.mean([np.mean((e.bfloat16 - e.float32) ** 2) / e.float32.var() for e in one]))
        middle, half = np.mean(inside), 1.96 * np.std(inside, ddof=1) / np.sqrt(len(inside))
        found[share] = float(middle), float(middle - half), float(middle + half)
        table.row(f"{share:.0%}", *found[share], np.mean(wide), np.sqrt(np.mean(away) / np.mean(plain)))
    return found


def main() -> None:
    chosen: Any = options(
        __doc__,
        "one model with a random head, few texts: is it all there?",
        texts=(200, "texts of the coverage"),
        first=(0, "texts that the coverage leaves out before them"),
        rounds=(5, "rounds of the speed"),
    )
    if chosen.quick:
        chosen.texts, chosen.rounds = 6, 2
    torch.set_num_threads(1)
    print(f"{processor()}; torch {torch.__version__}, one thread")
    engines = [build(seed, quick=chosen.quick) for seed in range(1 if chosen.quick else 3)]
    print("\nspeed\n")
    ratio = speeds(engines[0], sentences(engines[0], 8, 40, 2 if chosen.quick else 12), chosen.rounds)
    print("\nerror\n")
    tokens, count = (11, 2) if chosen.quick else (12, 8)
    short = sentences(engines[0], tokens, tokens, count)
    games = [ask(engines[0], one, coalitions(int(one.encoding.content.sum()))) for one in short]
    ratios = errors(games, ratio, 5 if chosen.quick else 40)
    print("\ncoverage\n")
    asked = []
    for model, engine in enumerate(engines):
        asked.append([])
        own = sentences(engine, 6, 20, chosen.texts, chosen.first)
        for number, request in enumerate(own, start=chosen.first):
            players, draws = int(request.encoding.content.sum()), np.random.default_rng([0, number, model])
            design = KernelShap(rows=ROWS).design(players, draws)
            asked[-1].append(ask(engine, request, np.unique(design, axis=0)))
    found = coverage(asked, chosen.first)
    middle, low, high = found[Precision().asked_twice]
    same, timed = ratios["bfloat16", "rows"], ratios["bfloat16", "seconds"]
    bars = {
        **{f"{name} {ratio[name]:.1f} x as fast": ratio[name] >= least for name, least in FASTER.items()},
        f"error of bfloat16 {same:.3f} of float32's": same <= SAME_ROWS,
        f"in equal seconds {timed:.2f} of it": timed <= SAME_SECONDS,
        f"coverage {middle:.3f} [{low:.3f}, {high:.3f}]": low <= 0.95 <= high,
    }
    finish(
        all(bars.values()), "; ".join(f"{what} ({'met' if ok else 'missed'})" for what, ok in bars.items())
    )


if __name__ == "__main__":
    main()
