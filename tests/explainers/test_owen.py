from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from explainer_games import Game, play, smooth_game, table_game, units
from explainer_models import explain, request, scores, smooth

from assay.explainers.baselines import Pad
from assay.explainers.perturbation.owen import Owen
from assay.explainers.perturbation.token_tree import Tree, decoded, join_by_score, token_tree
from assay.tasks.errors import InputError

SENTENCES = [
    "The film (a sequel) isn't bad, but the plot drags. Would I go again? No!",
    "it's good and it's cheap, or so they say (and say, again).",
    "one",
    "un-believable , (nested (twice) here) and [MASK] there 'quoted' text...",
]


def _brute_force(game: Game, tree: Tree) -> np.ndarray:
    """(n, K) mean marginal contributions over all orders in which no group is interrupted."""
    players = tree.members.shape[1]
    total = np.zeros((players, 2))
    for swaps in product([False, True], repeat=players - 1):

        def order(node: int, swaps: tuple[bool, ...] = swaps) -> list[int]:
            if node < players:
                return [node]
            left, right = tree.children[node - players].tolist()
            first, second = (right, left) if swaps[node - players] else (left, right)
            return order(first) + order(second)

        present = np.zeros((1, players), dtype=bool)
        for player in order(2 * players - 2):
            before = game(present)[0]
            present[0, player] = True
            total[player] += game(present)[0] - before
    return total / 2 ** (players - 1)


@pytest.mark.parametrize("players", [1, 2, 3, 6])
@pytest.mark.parametrize("batch", [1, 5])
def test_with_every_row_it_is_the_mean_over_all_orders_that_keep_groups_together(players: int, batch: int):
    asked, game = (
        units(["good,", "(bad)", "and", "ugly.", "It", "'s"][:players]),
        table_game(players, players),
    )
    found, _ = play(Owen(rows=500, batch=batch), game, asked)
    np.testing.assert_allclose(found.scores, _brute_force(game, token_tree(asked)), atol=1e-12)


def test_a_split_credits_each_half_alone_and_after_the_other():
    game = table_game(2, 0)
    nothing, first, second, both = game(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool))
    absent, present, either = (play(Owen(fixed_context=c), game, 2)[0].scores for c in (0, 1, None))
    together = both - first - second + nothing
    alone = np.array([first - nothing, second - nothing])
    # What two do together is shared evenly, from above or from below.
    for found in (absent, present, either):
        np.testing.assert_allclose(found, alone + together / 2, atol=1e-12)
    three = table_game(3, 1)
    absent, present, either = (play(Owen(fixed_context=c), three, 3)[0].scores for c in (0, 1, None))
    np.testing.assert_allclose((absent + present) / 2, either, atol=1e-12)
    assert np.abs(absent - present).max() > 0.01


@pytest.mark.parametrize("rows", [4, 9, 30, 100, 2000])
@pytest.mark.parametrize("context", [None, 0, 1])
def test_scores_sum_to_what_the_text_adds_for_any_budget(rows: int, context: int | None):
    game, explainer = smooth_game(14, 3), Owen(rows=rows, fixed_context=context)
    found, rounds = play(explainer, game, 14)
    ends = game(np.array([[True] * 14, [False] * 14]))
    np.testing.assert_allclose(found.scores.sum(axis=0), ends[0] - ends[1], atol=1e-12)
    assert 2 + sum(rounds) <= min(rows + 1, explainer.model_rows(14, 2)[0])


def test_rows_that_are_sure_to_be_asked_are_asked_together():
    _, rounds = play(Owen(), smooth_game(8, 1), 8)
    assert (sum(rounds), len(rounds)) == (42, 4)
    # Where the budget decides, no row is asked for nothing.
    rounds = play(Owen(rows=60), smooth_game(14, 1), 14)[1]
    assert sum(rounds) == 58
    assert len(rounds) < 58 / 6


def test_last_digits_do_not_decide_what_is_divided_first():
    # Both halves of the text add 2, but the rows divide one of them only.
    noise, alone = np.random.default_rng(1), np.array([[0.0], [2.0], [0.5], [1.5]])

    def game(coalitions: np.ndarray) -> np.ndarray:
        return coalitions @ alone + noise.normal(scale=1e-8, size=(len(coalitions), 1))

    for _ in range(10):
        found, _ = play(Owen(rows=6, batch=1), game, 4)
        np.testing.assert_allclose(found.scores.ravel(), [0.5, 1.5, 1, 1], atol=1e-6)


def test_a_tree_joins_words_clauses_and_the_texts_of_a_pair_last():
    tree = token_tree(units(["un", "like", "this ", "one"], [0, 0, 0, 1]))
    np.testing.assert_array_equal(tree.children, [[0, 1], [4, 2], [5, 3]])
    pair = token_tree(units(["good ", "food", "bad", "ly"], [0, 1, 1, 1]))
    assert pair.members[-1].all() and pair.children[-1].tolist() == [0, 5]


def test_words_are_leaves_on_request():
    asked = request((4, 9, 5), [1])
    asked.encoding.word_ids[:] = [0, 0, 1]
    (found,) = explain(Owen(unit="word"), smooth(), [asked], Pad())
    assert scores(found)[0, 0] == scores(found)[0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 3}, r"owen\.rows is 3; .* at least 4"),
        ({"fixed_context": 2}, r"owen\.fixed_context is 2; expected 0, 1 or null"),
        ({"batch": 0}, r"owen\.batch is 0"),
        ({"unit": "words"}, "did you mean 'word'"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        Owen(**options)


def _clustering(tree: Tree) -> np.ndarray:
    """The tree as shap has it."""
    sizes = tree.members.sum(axis=1)[tree.members.shape[1] :]
    return np.column_stack([tree.children, sizes, sizes]).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("text", SENTENCES)
def test_the_tree_is_that_of_shaps_text_masker(text: str):
    from shap.maskers import Text

    masker = Text()
    pieces, _ = masker.token_segments(text)
    if len(pieces) > 1:
        theirs = masker.clustering(text)
        ours = _clustering(token_tree(units(pieces)))
        np.testing.assert_array_equal(ours[:, [0, 1, 3]], theirs[:, [0, 1, 3]])


@pytest.mark.slow
def test_the_tree_is_shaps_for_any_tokens():
    from shap.maskers._text import partition_tree

    vocabulary = ["a", "##b", "(", ")", ",", ".", "?", "but", "'", "s", "t", "[SEP]", "word", "!"]
    rng = np.random.default_rng(0)
    for _ in range(300):
        tokens = rng.choice(vocabulary, size=rng.integers(2, 25)).tolist()
        tree = join_by_score(tokens, [0] * len(tokens))
        np.testing.assert_array_equal(
            _clustering(tree)[:, [0, 1, 3]], partition_tree(tokens, [])[:, [0, 1, 3]]
        )
    assert decoded(["un", "like ", "this"]) == ["un", "##like", "this"]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("context", [None, 0, 1])
@pytest.mark.parametrize(("players", "rows"), [(5, 500), (12, 500), (12, 40), (40, 500), (40, 200)])
def test_scores_are_those_of_shaps_partition_explainer(
    players: int, rows: int, context: int | None, batch: int
):
    from shap import PartitionExplainer
    from shap.maskers import Masker

    words = np.random.default_rng(players).choice(["good ", "plot", ", ", "and ", "(so)", ". "], size=players)
    asked, game = units(words.tolist()), smooth_game(players, rows, classes=3)

    class Present(Masker):
        shape = (1, players)
        clustering = _clustering(token_tree(asked))

        def __call__(self, mask: Any, *args: Any) -> Any:
            return (mask[None],)

    explainer: Any = PartitionExplainer(lambda rows: game(rows.astype(bool)), Present())
    theirs = explainer(
        np.ones((1, players)), max_evals=rows, fixed_context=context, batch_size=batch, silent=True
    )
    ours, _ = play(Owen(rows=rows, fixed_context=context, batch=batch), game, asked)
    np.testing.assert_allclose(ours.scores, theirs.values[0], atol=1e-9)
