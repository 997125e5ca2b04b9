from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics.token_masks import descending_order
from assay.tasks.randomness import generator


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans()), max_size=12), st.integers(0, 9))
def test_order_holds_every_content_token_once_and_descends(pairs: list[tuple[int, bool]], seed: int) -> None:
    scores = np.array([score for score, _ in pairs], dtype=np.float32)
    content = np.array([kept for _, kept in pairs], dtype=bool)
    order = descending_order(scores, content, np.random.default_rng(seed))
    assert sorted(order) == np.flatnonzero(content).tolist()
    assert (np.diff(scores[order]) <= 0).all()


def test_ties_come_in_every_order_equally_often() -> None:
    scores, content = np.array([1.0, 0.0, 1.0, 1.0]), np.ones(4, dtype=bool)
    rng = np.random.default_rng(0)
    orders = [tuple(descending_order(scores, content, rng).tolist()) for _ in range(1200)]
    assert {order[-1] for order in orders} == {1}
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 140, "each of the 6 orders is expected 200 times"


def test_generator_depends_on_seed_and_names_only() -> None:
    made = (generator(0, "a"), generator(1, "a"), generator(0, "b"), generator(0, "a", "b"))
    draws = {rng.integers(1 << 60) for rng in made}
    assert len(draws) == 4
    code = "from assay.tasks.randomness import generator; print(generator(0, 'a').integers(1 << 60))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == generator(0, "a").integers(1 << 60)
