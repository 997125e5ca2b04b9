"""Batches by measured memory: the arithmetic, and an engine on a device whose memory is made up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_engine import Smooth, _encodings

from assay.models import memory_budget
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.memory_budget import (
    MOST_TOKENS,
    SHARE,
    CudaMemory,
    MemoryUse,
    fitting_tokens,
    memory_cost,
    memory_of,
)
from assay.models.protocol import Batch
from assay.tasks.errors import InputError

amounts = st.integers(1, 10**6)


@given(per_token=amounts, per_square=amounts)
@settings(max_examples=30, deadline=None)
def test_a_known_cost_is_found_from_two_widths(per_token: int, per_square: int) -> None:
    uses = [
        MemoryUse(tokens, width, per_token * tokens + per_square * tokens * width)
        for tokens, width in ((128, 8), (64, 16), (96, 32))
    ]
    assert memory_cost(uses) == pytest.approx((per_token, per_square), rel=1e-6, abs=1e-2)


@given(st.lists(st.builds(MemoryUse, st.integers(1, 10**5), st.integers(1, 512), amounts), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_batch_took_more_than_the_cost_says_and_no_part_is_below_0(uses: list[MemoryUse]) -> None:
    per_token, per_square = memory_cost(uses)
    assert min(per_token, per_square) >= 0
    for use in uses:
        assert use.tokens * (per_token + per_square * use.width) >= use.size * (1 - 1e-6) - 1


def test_a_batch_of_a_single_byte_counts() -> None:
    per_token, per_square = memory_cost([MemoryUse(1, 1, 2), MemoryUse(4, 1, 1)])
    assert per_token + per_square == 2
    assert memory_cost([MemoryUse(4, 2, 0)]) == (0.0, 0.0)


def test_of_one_width_the_dearer_reading_is_taken() -> None:
    assert memory_cost([MemoryUse(100, 10, 2000)]) == (0.0, 2.0)


@given(cost=st.tuples(amounts, amounts), width=st.integers(1, 512), free=st.integers(0, 10**12))
@settings(max_examples=60, deadline=None)
def test_what_fits_takes_its_share_of_the_memory_and_not_less_than_half_of_it(
    cost: tuple[int, int], width: int, free: int
) -> None:
    tokens = fitting_tokens(cost, width, free)
    each = cost[0] + cost[1] * width
    assert 1 <= tokens <= MOST_TOKENS and tokens.bit_count() == 1
    assert tokens == 1 or tokens * each <= SHARE * free
    assert tokens == MOST_TOKENS or 2 * tokens * each > SHARE * free


def test_what_costs_nothing_is_bounded() -> None:
    assert fitting_tokens((0.0, 0.0), 8, 10) == MOST_TOKENS
    assert fitting_tokens((1.0, 0.0), 8, 10**9, most=300) == 300


@dataclass
class FakeMemory:
    """A device on which a batch takes so many bytes per token; more than it has is out of memory."""

    total: int
    per_token: int
    used: int = 0
    seen: list[int] = field(default_factory=list)

    def begin(self) -> int:
        self.used = 0
        return 0

    def peak(self) -> int:
        return self.used

    def free(self) -> int:
        return self.total

    def watch(self, model: Smooth) -> None:
        own = model.logits

        def logits(batch: Batch) -> torch.Tensor:
            tokens = batch.ids.numel()
            self.seen.append(tokens)
            if tokens * self.per_token > self.total:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            self.used = tokens * self.per_token
            return own(batch)

        model.logits = logits  # type: ignore[method-assign]


def _asked(model: Smooth, engine: Engine, count: int = 40) -> NDArray[np.float64]:
    return np.concatenate(engine.logits([full_rows(encoding) for encoding in _encodings(count)]))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> FakeMemory:
    made = FakeMemory(total=8000, per_token=100)
    monkeypatch.setattr(memory_budget, "memory_of", lambda device: made)
    monkeypatch.setattr(memory_budget, "default_budget", lambda model, device: 16)
    return made


def test_the_first_batch_is_small_and_the_next_fill_the_memory(memory: FakeMemory) -> None:
    expected = _asked(Smooth(), Engine(Smooth(), budget=1000))
    model = Smooth()
    engine = Engine(model)
    memory.watch(model)
    np.testing.assert_allclose(_asked(model, engine), expected, atol=1e-6)
    # 80 % of 8,000 bytes are 64 tokens of 100 bytes; the first rows' cost is read as that of a square.
    assert memory.seen[0] <= 16 < max(memory.seen) <= 64
    assert engine.counters.halvings == 0 and engine.counters.forward_rows == len(np.unique(expected, axis=0))


@pytest.mark.parametrize("method", ["free", "begin", "peak"])
@pytest.mark.parametrize("size", [float("inf"), float("nan")])
def test_a_meter_without_a_number_is_refused(memory: FakeMemory, method: str, size: float) -> None:
    engine = Engine(Smooth())
    setattr(memory, method, lambda: size)
    with pytest.raises(
        InputError, match=rf"memory meter's {method}\(\) gives {size} bytes; expected a finite"
    ):
        _asked(Smooth(), engine)


def test_a_budget_of_numpy_is_a_whole_number() -> None:
    expected = _asked(Smooth(), Engine(Smooth(), budget=64))
    engine = Engine(Smooth(), budget=np.int64(64))  # pyright: ignore[reportArgumentType]
    assert type(engine.budget) is int
    np.testing.assert_array_equal(_asked(Smooth(), engine), expected)


def test_out_of_memory_bounds_what_is_asked_next(memory: FakeMemory) -> None:
    expected = _asked(Smooth(), Engine(Smooth(), budget=1000))
    model = Smooth()
    engine = Engine(model)
    memory.watch(model)
    # What is said to be free is not: batches of 64 tokens do not fit.
    memory.per_token, memory.free = 100, lambda: 80_000  # type: ignore[method-assign]
    np.testing.assert_allclose(_asked(model, engine), expected, atol=1e-6)
    assert engine.counters.halvings > 0 and engine.budget == 16
    failed = [tokens for tokens in memory.seen if tokens > 80]
    assert failed == sorted(failed, reverse=True), "each is smaller than the one that failed before"
    memory.seen.clear()
    before = engine.counters.halvings
    _asked(model, engine)
    assert engine.counters.halvings == before, "the bound holds for later rounds"


def test_a_given_budget_stays(memory: FakeMemory) -> None:
    model = Smooth()
    engine = Engine(model, budget=20)
    memory.watch(model)
    _asked(model, engine)
    assert max(memory.seen) <= 20


def test_on_a_processor_nothing_is_measured() -> None:
    assert memory_of("cpu") is None and memory_of("mps") is None
    assert memory_of("cuda:1") == CudaMemory(torch.device("cuda:1"))
