"""Time token budgets on this machine, to choose the constants of models/budget.py.

    python scripts/calibrate_engine.py [--quick]

Every budget runs the same texts of mixed lengths, forwards and with gradients, in rounds that alternate
between budgets; the least time of a budget counts, because other processes only ever add to it. Prints ratios
to the fastest budget (1.00), which compare within one run on one machine and nowhere else. Models: a cnn of
the shipped sizes and a BERT of MiniLM's size, both with random weights.

The bar: no default takes more than 1.5 times as long as the fastest budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from bar import Table, finish, options
from inputs import WORDS, examples, random_bert, without_tokenizer

from assay.models.budget import default_budget
from assay.models.cnn import Cnn
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import MaskedInputs
from assay.models.protocol import Model
from assay.tasks.example import Task

BUDGETS = tuple(2**n for n in range(8, 16))
# How many times as long as the fastest budget a default may take.
MOST = 1.5
Work = Callable[[Engine, Sequence[MaskedInputs]], object]


def small() -> Model:
    """A cnn with a large vocabulary."""
    texts = tuple(examples([" ".join(f"w{number}" for number in range(WORDS))]))
    task = Task("words", ("0", "1", "2"), train=texts, dev=texts, test=texts)
    return Cnn(min_count=1, init_only=True).untrained(task, 0)


def inputs(count: int) -> list[MaskedInputs]:
    """Single rows of random ids; nine of ten have tweet lengths (about 20 tokens), one is a passage."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        length = int(rng.integers(100, 250) if number % 10 == 0 else rng.integers(8, 33))
        ids = rng.integers(5, 1000, (1, length)).astype(np.int32)
        rows.append(MaskedInputs(ids, np.zeros_like(ids), np.array([length], dtype=np.int32)))
    return rows


def forwards(engine: Engine, pool: Sequence[MaskedInputs]) -> object:
    """Logits of every row."""
    return engine.logits(pool)


def gradients(engine: Engine, pool: Sequence[MaskedInputs]) -> object:
    """The gradient at every row."""
    return [
        None for _ in engine.gradients([Path(r, r, np.ones(1), np.zeros(1, dtype=np.intp)) for r in pool])
    ]


def compare(
    model: Model, work: Work, pool: Sequence[MaskedInputs], rounds: int
) -> tuple[dict[int, float], int]:
    """By budget its least seconds, as a ratio to the fastest budget's; and the default budget."""
    default = default_budget(model, "cpu")
    best = dict.fromkeys((*BUDGETS, default), np.inf)
    work(Engine(model, budget=BUDGETS[0]), pool[:4])
    for _ in range(rounds):
        for budget in best:
            began = time.perf_counter()
            work(Engine(model, budget=budget), pool)
            best[budget] = min(best[budget], time.perf_counter() - began)
    least = min(best.values())
    return {budget: seconds / least for budget, seconds in best.items()}, default


def main() -> None:
    chosen = options(__doc__, "fewer texts and rounds; under a minute")
    share, rounds = (1, 3) if chosen.quick else (6, 5)
    table = Table("tokens in a batch", **{str(budget): ".2f" for budget in BUDGETS}, default=".2f")
    bert = without_tokenizer(random_bert())
    of_defaults = {}
    for title, model, work, count in (
        ("cnn, forwards", small(), forwards, 1000),
        ("cnn, gradients", small(), gradients, 400),
        ("transformer, forwards", bert, forwards, 60),
        ("transformer, gradients", bert, gradients, 20),
    ):
        ratios, default = compare(model, work, inputs(count * share), rounds)
        of_defaults[f"{title} by {default:,}"] = ratios[default]
        table.row(title, *(ratios[budget] for budget in BUDGETS), ratios[default])
    slowest = max(of_defaults, key=of_defaults.__getitem__)
    finish(
        of_defaults[slowest] <= MOST,
        f"the slowest default is that of {slowest}: {of_defaults[slowest]:.2f} times the fastest budget's "
        f"time (at most {MOST})",
    )


if __name__ == "__main__":
    main()
