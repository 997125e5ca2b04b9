"""How far apart the members of groups may be that were not divided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.explainers.perturbation.token_tree import Tree
from assay.explainers.perturbation.units import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What nodes of a tree of m leaves add in the contexts in which they were left undivided.

    weight: (2m - 1,) the share of contexts, added up. left: (2m - 1, K) the effects, weighted.
    """

    tree: Tree
    weight: Floats
    left: Floats

    @classmethod
    def none(cls, tree: Tree, classes: tuple[int, ...]) -> Pieces:
        """Before anything is left."""
        nodes = len(tree.members)
        return cls(tree, np.zeros(nodes), np.zeros((nodes, *classes)))

    def leave(self, node: int, weight: float, effect: Floats) -> None:
        """Count a node in one more context."""
        self.weight[node] += weight
        self.left[node] += effect

    def standard_error(self) -> Floats:
        """(m, K) root mean squared distances of leaves from the even shares of their groups, 0 where none is
        shared.

        Where a leaf was reached in some contexts, its mean there stands for the others. A leaf that was not
        is taken for one of equal spread: the variance of leaves that makes the means of pieces, of which a
        large one varies the less, as different as they are.
        """
        members, leaves = self.tree.members, self.tree.members.shape[1]
        sizes, groups = members.sum(axis=1), np.arange(len(members)) >= leaves
        mean = self.left / np.maximum(self.weight * sizes, np.finfo(float).tiny)[:, None]
        away = mean - self.left.sum(axis=0) / leaves
        freedom = max(self.weight.sum() - 1, np.finfo(float).tiny)
        variance = ((self.weight * sizes)[:, None] * away**2).sum(axis=0) / freedom
        # The variance of a leaf's distance from its groups' means, groups lying in one another.
        open_weight = np.where(groups, self.weight, 0.0)
        nested = np.zeros(leaves)
        for leaf in range(leaves):
            above = np.flatnonzero(members[:, leaf] & (open_weight > 0))
            smaller = np.minimum.outer(sizes[above], sizes[above])
            nested[leaf] = open_weight[above] @ (1 - 1 / smaller) @ open_weight[above]
        unseen = np.sqrt(np.outer(nested, variance))
        share = open_weight @ members
        shared = np.einsum("g,gm,gk->mk", open_weight, members.astype(float), mean)
        seen = np.abs(share[:, None] * mean[:leaves] - shared)
        return np.where(self.weight[:leaves, None] > 0, seen, unseen)
