from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from metrics_world import World, keyword_examples, oracle, scored

from assay.metrics.compute_time import ComputeTime
from assay.metrics.long_table import wide
from assay.models.engine import Engine
from assay.models.flops import backward_flops, forward_flops
from assay.models.word_model import WordModel


def test_passes_are_forward_plus_backward_rows() -> None:
    subject = World(keyword_examples(5)).subject(oracle)
    _, targets, parts = wide(ComputeTime().score(subject))
    assert targets == [-1]
    assert {part: set(values[:, 0]) for part, values in parts.items()} == {
        "forward_rows": {2.0},
        "backward_rows": {1.0},
        "passes": {3.0},
        "tokens": {9.0},
    }
    assert scored(ComputeTime(), subject) == 3.0


def test_flops_are_rows_at_the_price_of_their_mean_length(word_model: Callable[..., WordModel]) -> None:
    engine = Engine(word_model("cnn"))
    subject = replace(World(keyword_examples(5)).subject(oracle), engine=engine)
    _, _, parts = wide(ComputeTime().score(subject))
    # Two forward rows of 9 tokens together, and one backward row.
    forward = forward_flops(engine, 4) + forward_flops(engine, 5)
    backward = (backward_flops(engine, 4) + backward_flops(engine, 5)) / 2
    assert parts["flops"].tolist() == [[forward + backward]] * 5
    assert scored(ComputeTime(), subject) == 3.0
    assert engine.counters.forward_rows == 0


def test_rows_of_a_masked_language_model_are_apart() -> None:
    subject = World(keyword_examples(5)).subject(oracle)
    shards = [
        replace(shard, costs=[replace(cost, mlm_rows=4, mlm_tokens=20) for cost in shard.costs])
        for shard in subject.shards
    ]
    subject = replace(subject, shards=shards)
    _, _, parts = wide(ComputeTime().score(subject))
    assert (set(parts["mlm_rows"][:, 0]), set(parts["mlm_tokens"][:, 0])) == ({4.0}, {20.0})
    assert scored(ComputeTime(), subject) == 3.0
