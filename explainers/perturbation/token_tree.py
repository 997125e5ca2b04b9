"""A binary tree over the tokens of a text that follows words, clauses and sentences.

A port of `partition_tree` and `Text.clustering` of shap 0.51 (shap/maskers/_text.py, MIT licence), scores and
order of merging included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.units import Floats, Units

CLOSER_OF = {"(": ")"}
CONNECTORS = ("but", "and", "or")
SENTENCE_ENDS = (".", "?", "!")


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """n leaves and n - 1 groups of two; group n + g was made g-th, so the last node is the whole text.

    children: (n - 1, 2) nodes. members: (2n - 1, n) bool, the leaves under a node.
    """

    children: NDArray[np.intp]
    members: NDArray[np.bool_]

    def expansions(self, contexts: int) -> list[int]:
        """(2n - 1) how many splits a node and all below it take when a split leaves its parts to be split in
        so many contexts each."""
        leaves = self.members.shape[1]
        splits = [0] * leaves
        for left, right in self.children.tolist():
            splits.append(1 + contexts * (splits[left] + splits[right]))
        return splits

    def shared_out(self, credit: Floats) -> Floats:
        """(n, K) what the nodes' credits (2n - 1, K) give each leaf, every group's shared out evenly."""
        credit, leaves, sizes = credit.copy(), self.members.shape[1], self.members.sum(axis=1)
        for group in range(len(credit) - 1, leaves - 1, -1):
            for child in self.children[group - leaves]:
                credit[child] += credit[group] * (sizes[child] / sizes[group])
        return credit[:leaves]


def leaves(units: Units) -> NDArray[np.intp]:
    """(m,) the unit of every leaf, -1 for a special token, in the order of the text."""
    _, first = np.unique(units.of, return_index=True)
    special = units.of < 0
    special[first] = True
    return units.of[special]


def token_tree(units: Units, places: NDArray[np.intp]) -> Tree:
    """The tree whose leaves are the units at `places` (m,), or special tokens, without text, at -1.

    The two texts of a pair are joined last; a special token belongs to the text before it.
    """
    texts = ["" if place < 0 else units.texts[place] for place in places.tolist()]
    before = np.maximum.accumulate(np.maximum(places, 0))
    return join_by_score(decoded(texts), units.segments[before])


def decoded(texts: Sequence[str]) -> list[str]:
    """(n,) tokens without white space, "##" before those that go on with a word."""
    words = []
    for at, text in enumerate(texts):
        inside = at > 0 and not re.match(r"^.*\W$", texts[at - 1]) and words[at - 1] != ""
        words.append("##" + text.strip() if inside and re.match(r"^[A-Za-z]", text) else text.strip())
    return words


def join_by_score(tokens: Sequence[str], segments: Sequence[int] | NDArray[np.integer]) -> Tree:
    """The tree that comes of joining again and again the two neighbours whose `_score` is highest."""
    n = len(tokens)
    # Brackets are balanced once a group begins with one and ends with its other half.
    open_ended = [token in CLOSER_OF or token in CLOSER_OF.values() for token in tokens]
    groups = [(at, at + 1, at) for at in range(n)]  # from, to, node

    def score(pair: int) -> float:
        left, right = groups[pair][:2], groups[pair + 1][:2]
        across = segments[left[1] - 1] != segments[right[0]]
        return -math.inf if across else _score(tokens, open_ended, left, right)

    scores = [score(pair) for pair in range(n - 1)]
    children = np.zeros((n - 1, 2), dtype=np.intp)
    members = np.concatenate([np.eye(n, dtype=bool), np.zeros((n - 1, n), dtype=bool)])
    for node in range(n, 2 * n - 1):
        best = max(range(len(scores)), key=scores.__getitem__)
        (start, _, left), (_, stop, right) = groups[best : best + 2]
        children[node - n] = left, right
        members[node, start:stop] = True
        groups[best : best + 2] = [(start, stop, node)]
        if CLOSER_OF.get(tokens[start]) == tokens[stop - 1]:
            open_ended[start] = open_ended[stop - 1] = False
        # Only the scores beside the new group have changed.
        del scores[best]
        for pair in (best - 1, best):
            if 0 <= pair < len(scores):
                scores[pair] = score(pair)
    return Tree(children, members)


def _score(
    tokens: Sequence[str], open_ended: Sequence[bool], left: tuple[int, int], right: tuple[int, int]
) -> float:
    """How well two neighbouring groups of tokens go together."""
    (start, middle), (_, stop) = left, right
    first, last, following, end = tokens[start], tokens[middle - 1], tokens[middle], tokens[stop - 1]
    left_size, right_size = middle - start, stop - middle
    score = -float(left_size + right_size)
    # Parts of words first, then endings after an apostrophe.
    if following.startswith("##"):
        score += 20
    if following == "'" and (right_size == 1 or (right_size == 2 and tokens[middle + 1] in ("t", "s"))):
        score += 15
    if last == "'" and following in ("t", "s"):
        score += 15
    if _control(first) != _control(end):
        score -= 1000
    # Brackets with what is in them, before anything around them.
    if following in CLOSER_OF and open_ended[middle]:
        score -= 100
    if last in CLOSER_OF.values() and open_ended[middle - 1]:
        score -= 100
    if first in CLOSER_OF:
        score -= 2
    # Across connectors, commas and ends of sentences later and later.
    if last in CONNECTORS or following in CONNECTORS:
        score -= 2
    if last == ",":
        score -= 10
    if following == ",":
        score -= 10 if right_size > 1 else 1
    if last in SENTENCE_ENDS:
        score -= 20
    if following in SENTENCE_ENDS:
        score -= 20 if right_size > 1 else 1
    return score


def _control(token: str) -> bool:
    return token.startswith("[") and token.endswith("]")
