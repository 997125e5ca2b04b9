"""Estimates and tests of some results, each made once, however many tables rest on it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from assay.results.statistics.estimates import Estimate
from assay.results.statistics.permutation import Permutations
from assay.results.statistics.text_pairs import DyadicTest

# An estimate, and the number of units behind it.
Estimated = tuple[Estimate, int]


@dataclass(frozen=True, slots=True, eq=False)
class SharedEstimates:
    """What has been estimated and tested of some results so far.

    Whoever computes several things of the results makes one and hands it to each of them: the comparison,
    overall scores and recommendations rest on the same estimates. An estimate is the same where metric,
    cells, units, clusters and resamples are; permutations, where metric and both estimates are. Cells and
    estimates are compared by identity, so cells that were restricted or filled up are others.

    Attributes:
        permutations: of two estimates, for `PairedPermutationTest.drawn`.
        dyadic: by metric and seed the test of metrics of pairs of texts, which keeps what it computed.
    """

    permutations: dict[Hashable, Permutations] = field(default_factory=dict)
    dyadic: dict[tuple[str, int], DyadicTest] = field(default_factory=dict)
    _estimates: dict[Hashable, Estimated] = field(default_factory=dict)

    def missing(self, keys: Iterable[Hashable]) -> set[Hashable]:
        """Those of the keys that nothing was estimated for yet."""
        return {key for key in keys if key not in self._estimates}

    def keep(self, key: Hashable, estimated: Estimated) -> None:
        """Keep what was estimated for a key."""
        self._estimates[key] = estimated

    def estimated(self, key: Hashable) -> Estimated:
        """What was kept for a key."""
        return self._estimates[key]
