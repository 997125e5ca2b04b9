"""The fixtures of the cluster tests."""

from cluster_runs import assay, expected

__all__ = ["assay", "expected"]
