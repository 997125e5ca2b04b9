from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from assay.models.budget import LARGE_MODEL_BUDGET, SMALL_MODEL_BUDGET
from assay.models.encoding import Encoding
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.protocol import Batch
from assay.tasks.errors import InputError
from assay.tasks.example import Task

WIDTH, CLASSES, WORDS = 5, 3, 20


class Smooth:
    """A position-dependent smooth classifier that writes down the shape of every batch it sees."""

    labels: tuple[str, ...] = ("a", "b", "c")
    multi_label = False
    pad_id = 0
    mask_id: int | None = 1
    network: torch.nn.Module | None = None

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        draw = torch.Generator().manual_seed(3)
        self.table = torch.randn(WORDS, WIDTH, generator=draw, dtype=torch.float64).to(dtype)
        self.hidden = torch.randn(WIDTH, 7, generator=draw, dtype=torch.float64).to(dtype)
        self.out = torch.randn(7, CLASSES, generator=draw, dtype=torch.float64).to(dtype)
        self.seen: list[tuple[int, int]] = []
        self.before: Callable[[Batch], None] = lambda batch: None

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        raise NotImplementedError

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table[ids]

    def logits(self, batch: Batch) -> torch.Tensor:
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.layers(embeddings, batch)["logits"]

    def activations(self, batch: Batch) -> dict[str, torch.Tensor]:
        return self.layers(self.embed(batch.ids), batch)

    def layers(self, embeddings: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        self.before(batch)
        self.seen.append((embeddings.shape[0], embeddings.shape[1]))
        place = torch.arange(1, embeddings.shape[1] + 1, dtype=embeddings.dtype)[:, None]
        hidden = torch.tanh((embeddings / place + batch.segments[..., None]) @ self.hidden)
        pooled = (hidden * batch.attention[..., None]).sum(dim=1)
        return {"hidden": hidden, "pooled": pooled, "logits": torch.sin(pooled) @ self.out}


def _encoding(ids: Sequence[int]) -> Encoding:
    words, offsets = np.arange(len(ids), dtype=np.int32), np.zeros((len(ids), 2), np.int32)
    return Encoding(tuple(map(str, ids)), np.array(ids, np.int32), np.zeros_like(words), offsets, words)


def _encodings(count: int, longest: int = 9, seed: int = 0) -> list[Encoding]:
    rng = np.random.default_rng(seed)
    return [_encoding(rng.integers(2, WORDS, rng.integers(1, longest + 1)).tolist()) for _ in range(count)]


def _variants(encoding: Encoding, count: int, seed: int = 0) -> MaskedInputs:
    """Rows of several lengths, with tokens and segments changed."""
    rng = np.random.default_rng([seed, len(encoding)])
    ids = rng.integers(0, WORDS, (count, len(encoding))).astype(np.int32)
    segments = rng.integers(0, 2, ids.shape).astype(np.int32)
    return MaskedInputs(ids, segments, rng.integers(1, len(encoding) + 1, count).astype(np.int32))


def _by_hand(model: Smooth, rows: MaskedInputs) -> np.ndarray:
    """One row at a time, nothing padded, absent embeddings put in one by one."""
    found = []
    for row in range(len(rows)):
        length = int(rows.lengths[row])
        ids = torch.tensor(rows.ids[row : row + 1, :length].astype(np.int64))
        segments = torch.tensor(rows.segments[row : row + 1, :length].astype(np.int64))
        embeddings = model.embed(ids).clone()
        for place in range(length):
            if rows.absent is not None and rows.replacement is not None and rows.absent[row, place]:
                embeddings[0, place] = torch.tensor(rows.replacement)
        batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), segments)
        found.append(model.logits_from_embeddings(embeddings, batch)[0].numpy())
    return np.array(found)


def _pool(count: int = 6) -> list[MaskedInputs]:
    return [_variants(encoding, 5, seed) for seed, encoding in enumerate(_encodings(count))]


def _close(left: Sequence[NDArray], right: Sequence[NDArray], error: float = 1e-5) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=error)


def test_answers_come_in_order_and_equal_the_model_row_by_row():
    pool = _pool()
    _close(Engine(Smooth()).logits(pool), [_by_hand(Smooth(), rows) for rows in pool])


def test_padding_is_the_models_own_and_not_attended():
    model, seen = Smooth(), []
    model.pad_id = 17
    model.before = seen.append
    Engine(model).logits([full_rows(_encoding([4, 5, 6])), full_rows(_encoding([7]))])
    (batch,) = seen
    assert batch.ids.tolist() == [[7, 17, 17], [4, 5, 6]]
    assert batch.attention.tolist() == [[True, False, False], [True, True, True]]
    assert batch.segments.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_model_in_double_precision_is_answered_in_double_precision():
    pool = _pool(3)
    model = Smooth(torch.float64)
    _close(Engine(model).logits(pool), [_by_hand(model, rows) for rows in pool], 1e-14)


def test_nothing_asked_is_nothing_answered():
    engine = Engine(Smooth())
    empty = MaskedInputs(np.zeros((0, 2), np.int32), np.zeros((0, 2), np.int32), np.zeros(0, np.int32))
    assert engine.logits([]) == []
    assert [part.shape for part in engine.logits([empty, full_rows(_encoding([4])), empty])] == [
        (0, 3),
        (1, 3),
        (0, 3),
    ]
    assert engine.probabilities([]).shape == (0, 3)
    assert list(engine.gradients([])) == list(engine.activations([])) == []


def test_texts_of_one_token_are_answered():
    rows = full_rows(_encoding([7]))
    _close(Engine(Smooth()).logits([rows]), [_by_hand(Smooth(), rows)])


def test_duplicates_run_once_and_only_real_tokens_are_counted():
    short, long = full_rows(_encoding([2, 3])), full_rows(_encoding([4, 5, 6, 7]))
    twice = MaskedInputs(
        short.ids.repeat(2, axis=0), short.segments.repeat(2, axis=0), short.lengths.repeat(2)
    )
    engine = Engine(Smooth())
    answers = engine.answers([long, twice, short])
    assert (engine.counters.forward_rows, engine.counters.forward_tokens) == (2, 6)
    assert engine.counters.seconds > 0
    # Each example's own cost is what it would have been alone.
    assert [(answer.rows, answer.tokens) for answer in answers] == [(1, 4), (1, 2), (1, 2)]
    np.testing.assert_array_equal(answers[1].logits[0], answers[2].logits[0])


def test_counters_since_a_copy():
    engine = Engine(Smooth())
    engine.logits(_pool(1))
    before = engine.counters.copy()
    engine.logits([full_rows(_encoding([2, 3]))])
    spent = engine.counters.since(before)
    assert (spent.forward_rows, spent.forward_tokens, spent.halvings) == (1, 2, 0)
    assert 0 < spent.seconds < engine.counters.seconds


@pytest.mark.parametrize("budget", [1, 4, 9, 30, 10_000])
def test_batches_respect_the_budget_and_results_do_not_depend_on_it(budget: int):
    pool, model = _pool(), Smooth()
    found = Engine(model, budget=budget).logits(pool)
    assert all(rows * width <= budget or rows == 1 for rows, width in model.seen)
    if budget == 10_000:
        assert len(model.seen) == 1
    _close(found, Engine(Smooth(), budget=77).logits(pool))


def test_results_do_not_depend_on_the_rest_of_the_pool_or_its_order():
    pool = _pool()
    together = Engine(Smooth()).logits(pool)
    _close(together, [Engine(Smooth()).logits([rows])[0] for rows in pool])
    _close(together, Engine(Smooth()).logits(pool[::-1])[::-1])


def _refuses_above(model: Smooth, tokens: int, error: Exception) -> None:
    def check(batch: Batch) -> None:
        if batch.ids.numel() > tokens:
            raise error

    model.before = check


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        RuntimeError("CUDA error: out of memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_halves_the_budget_and_loses_nothing(error: Exception):
    pool, model = _pool(12), Smooth()
    expected = Engine(Smooth()).logits(pool)
    _refuses_above(model, 40, error)
    engine = Engine(model, budget=160)
    _close(engine.logits(pool), expected)
    # Two halvings suffice: later batches are cut to what has been found to fit.
    assert engine.budget is not None and 20 < engine.budget <= 40
    assert engine.counters.halvings == 2
    calm = Engine(Smooth())
    calm.logits(pool)
    assert engine.counters.forward_rows == calm.counters.forward_rows
    assert engine.counters.forward_tokens == calm.counters.forward_tokens


def test_a_budget_far_above_the_pool_is_halved_from_the_size_of_the_batch():
    model = Smooth()
    _refuses_above(model, 40, MemoryError())
    engine = Engine(model, budget=10**9)
    engine.logits(_pool(12))
    assert engine.counters.halvings <= 3


def test_running_out_of_memory_in_gradients_and_activations_doubles_nothing():
    encodings = _encodings(8, seed=4)
    paths = [_point(encoding, [0, 2]) for encoding in encodings]
    model = Smooth()
    _refuses_above(model, 12, torch.OutOfMemoryError("CUDA out of memory"))
    engine = Engine(model, budget=64)
    batches = list(engine.gradients(paths))
    assert sorted(np.concatenate([batch.path for batch in batches])) == list(range(8))
    assert (engine.counters.forward_rows, engine.counters.backward_rows) == (8, 16)
    assert engine.counters.halvings > 0
    engine = Engine(model, budget=64)
    index = np.concatenate([batch.index for batch in engine.activations(encodings)])
    assert sorted(index) == list(range(8))
    assert engine.counters.forward_rows == 8


def test_a_single_row_that_does_not_fit_is_an_error():
    model = Smooth()
    _refuses_above(model, 3, MemoryError())
    with pytest.raises(InputError, match="out of memory on a single row of 4 tokens"):
        Engine(model).logits([full_rows(_encoding([2, 3, 4, 5]))])


def test_other_errors_of_the_model_are_not_swallowed():
    model = Smooth()
    _refuses_above(model, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        Engine(model).logits(_pool(1))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_refused(bad: float):
    model = Smooth()
    model.table[7] = bad
    model.out[:] = bad
    encodings = [_encoding([2, 3]), _encoding([7, 3, 4])]
    for ask in (
        lambda engine: engine.logits([full_rows(encoding) for encoding in encodings]),
        lambda engine: engine.probabilities(encodings),
        lambda engine: list(engine.gradients([_point(encoding, [0]) for encoding in encodings])),
        lambda engine: list(engine.activations(encodings)),
    ):
        with pytest.raises(InputError, match="NaN or infinity, the first of 2 tokens"):
            ask(Engine(model))


def test_one_broken_row_is_counted():
    model = Smooth()
    model.table[7] = float("nan")
    with pytest.raises(
        InputError, match="1 of the 2 rows of a batch with NaN or infinity, the first of 3 tok"
    ):
        Engine(model).logits([full_rows(_encoding([2, 3])), full_rows(_encoding([7, 3, 4]))])


def test_probabilities_are_a_softmax_or_a_sigmoid():
    encodings = _encodings(4)
    model = Smooth()
    logits = np.concatenate([_by_hand(model, full_rows(encoding)) for encoding in encodings]).astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    _close([Engine(model).probabilities(encodings)], [shares], 1e-6)
    model.multi_label = True
    _close([Engine(model).probabilities(encodings)], [1 / (1 + np.exp(-logits))], 1e-6)


@pytest.mark.parametrize("replacement", [np.zeros(1), np.full(1, 0.5), np.linspace(-1, 1, WIDTH)])
def test_replaced_embeddings_equal_those_put_in_by_hand(replacement: np.ndarray):
    pool = []
    for seed, rows in enumerate(_pool(4)):
        absent = np.random.default_rng(seed).random(rows.ids.shape) < 0.4
        pool.append(
            MaskedInputs(rows.ids, rows.segments, rows.lengths, absent, replacement.astype(np.float32))
        )
        pool.append(rows)
    _close(Engine(Smooth(), budget=25).logits(pool), [_by_hand(Smooth(), rows) for rows in pool])


# Gradients


def _point(encoding: Encoding, targets: list[int]) -> Path:
    rows = full_rows(encoding)
    return Path(rows, rows, np.ones(1), np.array(targets, dtype=np.intp))


def _gradient_by_hand(model: Smooth, embeddings: torch.Tensor, target: int) -> np.ndarray:
    point = embeddings.clone().requires_grad_(True)
    ids = torch.zeros(point.shape[:2], dtype=torch.int64)
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), ids)
    model.logits_from_embeddings(point, batch)[0, target].backward()
    assert point.grad is not None
    return point.grad[0].numpy()


@pytest.mark.parametrize("budget", [7, 10_000])
def test_gradients_equal_autograd_with_several_targets_and_mixed_lengths(budget: int):
    encodings, model = _encodings(9), Smooth()
    targets = [[0], [2, 1], [1], [0, 1, 2], [2], [1, 0], [], [2, 2], [0]]
    paths = [_point(encoding, wanted) for encoding, wanted in zip(encodings, targets, strict=True)]
    seen = []
    for batch in Engine(model, budget=budget).gradients(paths):
        for at, path in enumerate(batch.path):
            seen.append(int(path))
            length = len(encodings[path])
            assert int(batch.lengths[at]) == length
            embeddings = model.embed(torch.tensor(encodings[path].ids.astype(np.int64)))[None]
            np.testing.assert_allclose(batch.points[at, :length], embeddings[0], atol=0)
            expected = _by_hand(model, full_rows(encodings[path]))[0]
            np.testing.assert_allclose(batch.logits[at], expected, atol=1e-5)
            for nth, target in enumerate(targets[path]):
                by_hand = _gradient_by_hand(model, embeddings, target)
                np.testing.assert_allclose(batch.gradients[nth, at, :length], by_hand, atol=1e-5)
            assert not batch.gradients[:, at, length:].any()
            assert not batch.difference[at, :length].any()
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 7, 8]


def test_points_between_two_inputs_and_their_gradients():
    model = Smooth()
    encodings = _encodings(4, seed=6)
    alphas = np.array([0.0, 0.3, 1.0])
    paths = []
    for encoding in encodings:
        full = full_rows(encoding)
        absent = np.ones_like(full.ids, dtype=bool)
        start = MaskedInputs(full.ids, full.segments, full.lengths, absent, np.full(1, 0.5, np.float32))
        paths.append(Path(start, full, alphas, np.array([1], dtype=np.intp)))
    engine = Engine(model, budget=20)
    seen = set()
    for batch in engine.gradients(paths):
        for at, (path, step) in enumerate(zip(batch.path, batch.step, strict=True)):
            seen.add((int(path), int(step)))
            end = model.embed(torch.tensor(encodings[path].ids.astype(np.int64)))[None]
            point = 0.5 + (end - 0.5) * float(alphas[step])
            length = len(encodings[path])
            np.testing.assert_allclose(batch.points[at, :length], point[0], atol=1e-6)
            np.testing.assert_allclose(batch.difference[at, :length], end[0] - 0.5, atol=1e-6)
            by_hand = _gradient_by_hand(model, point, 1)
            np.testing.assert_allclose(batch.gradients[0, at, :length], by_hand, atol=1e-5)
    assert seen == {(path, step) for path in range(4) for step in range(3)}
    assert engine.counters.forward_rows == engine.counters.backward_rows == 12
    assert engine.counters.forward_tokens == 3 * sum(map(len, encodings))


def test_a_path_between_texts_of_different_lengths_is_refused():
    start, end = full_rows(_encoding([2])), full_rows(_encoding([2, 3]))
    with pytest.raises(InputError, match="from 1 to 2 tokens"):
        list(Engine(Smooth()).gradients([Path(start, end, np.ones(1), np.array([0]))]))


# Activations


def test_activations_belong_to_the_texts_their_index_says():
    encodings, model = _encodings(10), Smooth()
    seen = []
    for batch in Engine(model, budget=12).activations(encodings):
        for at, index in enumerate(batch.index):
            seen.append(int(index))
            length = len(encodings[index])
            assert batch.attention[at].sum() == length and batch.attention[at, :length].all()
            expected = _by_hand(model, full_rows(encodings[index]))[0]
            np.testing.assert_allclose(batch.layers["logits"][at], expected, atol=1e-5)
            alone = next(iter(Engine(model).activations([encodings[index]])))
            np.testing.assert_allclose(
                batch.layers["hidden"][at, :length], alone.layers["hidden"][0], atol=1e-5
            )
    assert sorted(seen) == list(range(10))


def test_repeated_texts_have_activations_of_their_own():
    encoding = _encoding([3, 4])
    (batch,) = Engine(Smooth()).activations([encoding, encoding])
    assert sorted(batch.index) == [0, 1]


def test_two_engines_walk_the_same_texts_in_step():
    encodings = _encodings(12)
    one, two = (
        np.concatenate([batch.index for batch in Engine(Smooth(), budget=budget).activations(encodings)])
        for budget in (6, 1000)
    )
    np.testing.assert_array_equal(one, two)


# Budget


def test_a_budget_below_one_token_is_refused():
    with pytest.raises(InputError, match=r"engine\.budget is 0 tokens"):
        Engine(Smooth(), budget=0)


def test_the_budget_follows_the_size_of_the_model_without_its_embedding_tables():
    small, large = Smooth(), Smooth()
    small.network = torch.nn.Embedding(6000, 1000)
    large.network = torch.nn.Linear(6000, 1000)
    assert Engine(small).budget == SMALL_MODEL_BUDGET
    assert Engine(large).budget == LARGE_MODEL_BUDGET
    assert Engine(Smooth()).budget == SMALL_MODEL_BUDGET


# The models that are shipped


@pytest.mark.parametrize("name", ["linear", "maxpool", "cnn", "lstm", "tiny_bert"])
def test_shipped_models_answer_alike_alone_and_in_a_pool(
    name: str, toy_task: Task, request: pytest.FixtureRequest
):
    if name == "tiny_bert":
        model = request.getfixturevalue(name)
    else:
        model = request.getfixturevalue("word_model")(name, trained=name == "linear")
    encodings = model.encode([example.texts for example in toy_task.test[:6]])
    pool = [full_rows(encoding) for encoding in encodings]
    _close(Engine(model).logits(pool), [Engine(model).logits([rows])[0] for rows in pool])
    for batch in Engine(model).gradients([_point(encoding, [0, 2]) for encoding in encodings]):
        for at, path in enumerate(batch.path):
            (alone,) = Engine(model).gradients([_point(encodings[path], [0, 2])])
            length = len(encodings[path])
            np.testing.assert_allclose(batch.gradients[:, at, :length], alone.gradients[:, 0], atol=1e-5)
