from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from explainer_games import Game, play, smooth_game, table_game, units
from explainer_models import explain, request, scores, smooth

from assay.explainers.baselines import Pad
from assay.explainers.perturbation.owen import Owen
from assay.explainers.perturbation.token_tree import Tree, decoded, join_by_score, leaves, token_tree
from assay.explainers.perturbation.units import Units
from assay.explainers.reliability import ORDERED, reliability
from assay.tasks.errors import InputError

SENTENCES = [
    "The film (a sequel) isn't bad, but the plot drags. Would I go again? No!",
    "it's good and it's cheap, or so they say (and say, again).",
    "one",
    "un-believable , (nested (twice) here) and [MASK] there 'quoted' text...",
]


def _tree(asked: Units) -> Tree:
    return token_tree(asked, leaves(asked))


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
    np.testing.assert_allclose(found.scores, _brute_force(game, _tree(asked)), atol=1e-12)


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
    tree = _tree(units(["un", "like", "this ", "one"], [0, 0, 0, 1]))
    np.testing.assert_array_equal(tree.children, [[0, 1], [4, 2], [5, 3]])
    pair = _tree(units(["good ", "food", "bad", "ly"], [0, 1, 1, 1]))
    assert pair.members[-1].all() and pair.children[-1].tolist() == [0, 5]
    special = Units(
        np.array([-1, 0, 1, -1, 2, -1]), ("a",) * 3, ("a ", "b", "c"), np.array([0, 0, 1], np.int32)
    )
    halves = _tree(special).members[_tree(special).children[-1]]
    np.testing.assert_array_equal(halves, [[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])


def _between_special_tokens(texts: list[str]) -> Units:
    """Units of one token each between two special tokens."""
    asked = units(texts)
    return Units(np.array([-1, *asked.of, -1]), asked.names, asked.texts, asked.segments)


def test_special_tokens_are_leaves_as_in_shap_unless_they_are_left_out():
    asked, game = _between_special_tokens(["good ", "plot", "."]), table_game(3, 0)
    # shap joins the last special token behind a full stop last of all.
    np.testing.assert_array_equal(_tree(asked).children, [[0, 1], [5, 2], [6, 3], [7, 4]])
    found, _ = play(Owen(), game, asked)
    content, _ = play(Owen(tree="content"), game, asked)
    np.testing.assert_allclose(
        content.scores, _brute_force(game, token_tree(asked, np.arange(3))), atol=1e-12
    )
    first = join_by_score(["", "good", "plot", ".", ""], [0] * 5)
    together = _brute_force(lambda c: game(c[:, 1:4]), first)
    np.testing.assert_allclose(found.scores, together[1:4], atol=1e-12)
    assert found.special is not None and np.abs(found.special).max() < 1e-12
    # 6 coalitions are neither all nor nothing; those that differ in special tokens alone are one.
    assert Owen().full_rows(asked) > 2 + 6


TEXT = "the film is a good one , and I liked it very much . but its plot drags ( a bit ) ! it 's fine"


def _additive(players: int, seed: int) -> tuple[Units, np.ndarray]:
    rng = np.random.default_rng([players, seed])
    return _between_special_tokens([f"{w} " for w in rng.choice(TEXT.split(), players)]), rng.normal(
        size=(players, 2)
    )


def _sum_of(each: np.ndarray) -> Game:
    return lambda coalitions: coalitions.astype(np.float64) @ each


def test_scores_of_groups_that_were_not_divided_are_as_unsure_as_they_are_wrong():
    inside, pairs = [], []
    for players in (15, 23, 30, 40, 53):
        for seed in range(3):
            asked, truth = _additive(players, seed)
            found, _ = play(Owen(rows=300), _sum_of(truth), asked)
            assert found.standard_error is not None and found.special is not None
            total = found.scores.sum(axis=0) + found.special.sum(axis=0)
            np.testing.assert_allclose(total, truth.sum(axis=0), atol=1e-9)
            inside.append(np.abs(found.scores - truth) <= 2 * found.standard_error + 1e-9)
            claimed = reliability(found.scores.T, found.standard_error.T, np.ones(players, dtype=bool))
            for target in range(2):
                right = np.corrcoef(found.scores[:, target], truth[:, target])[0, 1] ** 2
                pairs.append((players, claimed[target], right))
    assert np.mean(np.concatenate(inside)) > 0.9
    # What is claimed is no more than what is right, up to the luck of a few tokens.
    of, claimed, right = np.array(pairs).T
    assert (claimed < right + 0.2).all() and claimed.mean() < right.mean()
    assert (claimed[of == 53] < ORDERED).all() and (right[of == 53] < ORDERED).all()
    assert claimed[of == 15].mean() > 0.85


def test_a_finished_tree_has_no_standard_error():
    asked, _ = _additive(12, 0)
    found, _ = play(Owen(rows=Owen().full_rows(asked)), smooth_game(12, 0), asked)
    assert found.standard_error is not None and not found.standard_error.any()
    unfinished, _ = play(Owen(rows=Owen().full_rows(asked) - 2), smooth_game(12, 0), asked)
    assert unfinished.standard_error is not None and unfinished.standard_error.any()


def test_trees_that_the_rows_do_not_divide_are_counted_with_a_number_of_rows_that_does(
    caplog: pytest.LogCaptureFixture,
):
    texts = [_additive(players, 0)[0] for players in (5, 20, 40)]
    enough = max(map(Owen().full_rows, texts))
    warning = Owen(rows=60).unfinished(texts)
    assert warning is not None
    assert "the trees of 2 of 3 texts" in warning and f"explainer.owen.rows={enough} divides all" in warning
    assert f"fixed_context=0 (one context only) needs {2 + 2 * 41} rows" in warning
    assert Owen(rows=enough).unfinished(texts) is None
    assert "fixed_context" not in (Owen(rows=60, fixed_context=1).unfinished(texts) or "fixed_context")
    explain(Owen(rows=8), smooth(), [request((4, 9, 5, 12, 7))], Pad())
    assert "the trees of 1 of 1 texts" in caplog.text


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
        ({"tree": "Shap"}, r"owen\.tree is 'Shap'"),
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
        ours = _clustering(_tree(units(pieces)))
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
    from shap.maskers._text import partition_tree

    words = np.random.default_rng(players).choice(["good ", "plot", ", ", "and ", "(so)", ". "], size=players)
    asked, game = units(words.tolist()), smooth_game(players, rows, classes=3)

    theirs = partition_tree(decoded(asked.texts), [])
    # As its text masker does; it would not split groups below 0.
    theirs[:, 2] = theirs[:, 3]

    class Present(Masker):
        shape = (1, players)
        clustering = theirs

        def __call__(self, mask: Any, *args: Any) -> Any:
            return (mask[None],)

    explainer: Any = PartitionExplainer(lambda rows: game(rows.astype(bool)), Present())
    found = explainer(
        np.ones((1, players)), max_evals=rows, fixed_context=context, batch_size=batch, silent=True
    )
    ours, _ = play(Owen(rows=rows, fixed_context=context, batch=batch), game, asked)
    np.testing.assert_allclose(ours.scores, found.values[0], atol=1e-9)
