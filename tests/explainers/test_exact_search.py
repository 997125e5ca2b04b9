"""Exact search: the set that brute force finds, its bounds, and what it says where they are reached."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from explainer_games import play, table_game, units
from explainer_models import HandModel, conjunction, explain, request, scores
from tabular_models import LENGTH, TEXT, classifier, language_model

from assay.explainers.baselines import Delete, Mask, Zero
from assay.explainers.marginal.candidates import Selection
from assay.explainers.marginal.mixture import Mixture
from assay.explainers.perturbation.ask_tell import Answers
from assay.explainers.perturbation.exact_search import ExactSearch
from assay.explainers.perturbation.output_spaces import Output, output_space
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example

Game = Callable[[np.ndarray], np.ndarray]


def threshold(*, players: int, needed: int) -> Game:
    """Class 1 wins where so many of the players are there."""
    return lambda keep: np.stack([np.full(len(keep), needed - 0.5), keep.sum(axis=1).astype(float)], axis=1)


def by_hand(
    game: Game, players: int, kept: Callable[[np.ndarray], bool], sure: Callable[[np.ndarray], float]
):
    """(n,) the set of the definition, one after the other."""
    for size in range(1, players + 1):
        found = []
        for members in combinations(range(players), size):
            keep = np.zeros(players, dtype=bool)
            keep[list(members)] = True
            value = game(keep[None])[0]
            if kept(value):
                found.append((sure(value), keep))
        if found:
            return max(found, key=lambda one: one[0])[1]
    raise AssertionError


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("output", ["logit", "log_odds", "probability"])
def test_it_is_the_smallest_set_that_keeps_the_class_and_the_surest_of_these(
    seed: int, output: Output
) -> None:
    logits = table_game(7, seed, classes=3)

    def game(keep: np.ndarray) -> np.ndarray:
        return output_space(logits(keep), output, multi_label=False)

    full = game(np.ones((1, 7), dtype=bool))[0]
    chosen = int(full.argmax())
    expected = by_hand(game, 7, lambda value: value.argmax() == chosen, lambda value: value[chosen])
    found, rounds = play(ExactSearch(output=output), game, 7)
    np.testing.assert_array_equal(found.scores, np.repeat(expected[:, None], 3, axis=1))
    assert sum(rounds) <= 2**7 + 7


def test_sets_of_many_units_are_found_too() -> None:
    sizes = [
        play(ExactSearch(), threshold(players=8, needed=n), 8)[0].scores.sum(axis=0) for n in range(1, 9)
    ]
    np.testing.assert_array_equal(sizes, np.repeat(np.arange(1, 9)[:, None], 2, axis=1))


def test_equal_sets_go_by_their_order_in_the_text() -> None:
    found, _ = play(ExactSearch(), threshold(players=6, needed=3), 6)
    np.testing.assert_array_equal(found.scores[:, 0], [1, 1, 1, 0, 0, 0])
    found, _ = play(ExactSearch(rows=7), threshold(players=6, needed=3), 6)
    np.testing.assert_array_equal(found.scores[:, 0], [1] * 6)
    found, _ = play(ExactSearch(rows=21), threshold(players=6, needed=3), 6)
    np.testing.assert_array_equal(found.scores[:, 0], [1] * 6)
    found, _ = play(ExactSearch(rows=25), threshold(players=6, needed=3), 6)
    np.testing.assert_array_equal(found.scores[:, 0], [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("baseline", [Zero(), Mask(), Delete()])
def test_two_necessary_words_are_the_set(multi_label: bool, baseline) -> None:
    model = conjunction(4, 9)
    # Both words are needed for more than half.
    plain = model.forward
    model.forward = lambda e, a: plain(e, a) - torch.tensor([0, 0.5])
    model.multi_label = multi_label
    (records,) = explain(
        ExactSearch(), model, [request((2, 4, 11, 12, 9, 13), [0, 1], specials=(0,))], baseline
    )
    assert records[1].scores.tolist() == [0, 1, 0, 0, 1, 0]
    # The logit of the other label is always 0, which every single word keeps.
    assert records[0].scores.tolist() == ([0, 1, 0, 0, 0, 0] if multi_label else [0, 1, 0, 0, 1, 0])
    assert all(record.output_space == "none" and record.standard_error is None for record in records)


@pytest.mark.parametrize("output", ["logit", "log_odds", "probability", "log2_odds"])
@pytest.mark.parametrize("seed", range(6))
def test_every_label_keeps_its_side(output: Output, seed: int) -> None:
    logits = table_game(6, seed, classes=3)

    def game(keep: np.ndarray) -> np.ndarray:
        return output_space(logits(keep), output, multi_label=True)

    method = ExactSearch(output=output)
    talk = method.converse(units(["x"] * 6), np.random.default_rng(0))
    ends = game(np.array([[True], [False]]).repeat(6, axis=1))
    design, targets = next(talk), np.array([2, 0])
    try:
        while True:
            design = talk.send(Answers(game(design), ends[0], ends[1], targets))
    except StopIteration as end:
        found = end.value.scores
    level = 0.5 if output == "probability" else 0.0
    for label in targets.tolist():
        yes, sign = ends[0][label] >= level, 1 if ends[0][label] >= level else -1
        expected = by_hand(
            game,
            6,
            lambda value, label=label, yes=yes: bool((value[label] >= level) == yes),
            lambda value, label=label, sign=sign: float(sign * value[label]),
        )
        np.testing.assert_array_equal(found[:, label], expected)
    assert not found[:, 1].any()


def test_a_text_decided_as_the_empty_one_needs_a_unit_unless_the_empty_set_is_one() -> None:
    def game(keep: np.ndarray) -> np.ndarray:
        return np.stack([np.ones(len(keep)), keep @ np.array([0.1, -0.2, 0.3])], axis=1)

    assert play(ExactSearch(), game, 3)[0].scores[:, 0].tolist() == [1, 0, 0]
    assert play(ExactSearch(empty=True), game, 3)[0].scores[:, 0].tolist() == [0, 0, 0]
    turned = play(ExactSearch(empty=True), lambda keep: 1 - 5 * game(keep), 3)[0]
    assert not turned.scores.any()
    needed = play(ExactSearch(empty=True), threshold(players=3, needed=2), 3)[0]
    assert needed.scores[:, 1].tolist() == [1, 1, 0]


def test_a_text_of_one_unit_is_its_own_set_and_costs_two_rows() -> None:
    found, rounds = play(ExactSearch(), table_game(1, 0), 1)
    assert found.scores.tolist() == [[1, 1]] and rounds == [0]
    (records,) = explain(ExactSearch(), conjunction(4, 9), [request((4,), [0])], Zero())
    assert records[0].cost.forward_rows == 2 == ExactSearch().model_rows(1, 1)[0]


def test_the_masked_language_models_mixture_decides() -> None:
    model = classifier()
    baseline = Mixture(language_model(), "joint", Selection(sigma=0.0), 0)
    asked = Request(Example("a", ("x" * LENGTH,), (0,)), TEXT, np.arange(3))
    (records,) = ExactSearch().explain(Engine(model), [asked], baseline)

    def game(keep: np.ndarray) -> np.ndarray:
        kept = np.concatenate([np.ones((len(keep), 1), dtype=bool), keep], axis=1)
        return baseline.answers(Engine(model), [(TEXT, kept)], "log_odds")[0].values

    full = game(np.ones((1, LENGTH), dtype=bool))[0]
    chosen = int(full.argmax())
    expected = by_hand(game, LENGTH, lambda value: value.argmax() == chosen, lambda value: value[chosen])
    for record in records:
        np.testing.assert_array_equal(record.scores[1:], expected)


def test_pairs_and_words_are_searched_as_wholes() -> None:
    asked = request((2, 4, 3, 9, 5, 3), [0, 1], specials=(0, 2, 5))
    asked.encoding.segments[3:] = 1
    (records,) = explain(ExactSearch(), conjunction(4, 9), [asked], Zero())
    assert records[0].scores.tolist() == [0, 1, 0, 1, 0, 0]
    words = request((4, 9, 11, 12), [1])
    words.encoding.word_ids[:] = [0, 0, 1, 2]
    (records,) = explain(ExactSearch(unit="word"), conjunction(4, 9), [words], Zero())
    assert records[0].scores.tolist() == [0.5, 0.5, 0, 0]


# The bound on rows


@pytest.mark.parametrize("players", [2, 5, 12, 13, 31, 84, 120])
@pytest.mark.parametrize("rows", [1, 40, 5000])
def test_no_text_costs_more_than_its_bound(players: int, rows: int) -> None:
    method = ExactSearch(rows=rows)
    asked: set[bytes] = set()

    def game(keep: np.ndarray) -> np.ndarray:
        asked.update(row.tobytes() for row in keep)
        return threshold(players=players, needed=players)(keep)

    found, rounds = play(method, game, players)
    assert found.scores.all()
    bound = method.model_rows(players, 1)[0]
    assert bound <= rows + 2 and len(asked) <= bound <= 2**players
    assert max(rounds) <= 1000
    if players <= 12 and rows == 5000:
        assert len(asked) == bound == 2**players


def test_where_sets_are_too_many_a_beam_goes_on() -> None:
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.5, 1, size=20)

    def game(keep: np.ndarray) -> np.ndarray:
        return np.stack([np.full(len(keep), 4.9), keep @ weights], axis=1)

    method = ExactSearch(rows=1000)
    assert method.complete(20) == 2
    found, _ = play(method, game, 20)
    # Of weights that add up, the largest are the best set.
    largest = np.sort(np.argsort(-weights)[: int(np.searchsorted(np.cumsum(-np.sort(-weights)), 4.9)) + 1])
    np.testing.assert_array_equal(np.flatnonzero(found.scores[:, 0]), largest)
    assert method.unproven([(20, [len(largest)])]) is not None


def test_texts_whose_sets_are_not_proven_are_told(caplog: pytest.LogCaptureFixture) -> None:
    requests = [request((4, 9, *range(10, 20)), [0, 1]), request((4, 9), [0, 1]), request((4, 9, 12), [0])]
    with caplog.at_level(logging.WARNING):
        explain(ExactSearch(rows=12), conjunction(4, 9), requests, Zero())
    (message,) = caplog.messages
    assert message.startswith(
        "exact_search: explainer.exact_search.rows=12 does not cover all sets of the size that was found, or "
        "none was found, in 1 of 3 texts (of up to 12 units), so a smaller or a surer set may exist there"
    )
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        explain(ExactSearch(rows=78), conjunction(4, 9), requests, Zero())
    assert not caplog.messages


@pytest.mark.parametrize("options", [{"rows": 0}, {"beam": 0}, {"output": "gain"}, {"unit": "page"}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"explainer\.exact_search\.{next(iter(options))} is "):
        ExactSearch(**options)


def test_last_digits_do_not_choose_between_copies_of_a_word() -> None:
    def forward(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        kept = (embeddings * attention)[..., 0]
        best = kept.amax(dim=1) + 1e-8 * kept[:, 3]
        return torch.stack([torch.full_like(best, 0.5), best], dim=1)

    model = HandModel(forward, 2)
    model.table = model.table * 0
    model.table[4, 0] = 1
    (records,) = explain(ExactSearch(), model, [request((11, 4, 12, 4), [1])], Zero())
    assert scores(records).tolist() == [[0, 1, 0, 0]]
