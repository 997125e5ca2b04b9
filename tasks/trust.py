"""Which modules belong to packages that may be built from files."""

from __future__ import annotations

from collections.abc import Iterable


def is_inside(module: str, packages: Iterable[str]) -> bool:
    """Whether a dotted module name is one of the packages or inside one.

    Example: `is_inside("assay.models.cnn", ["assay.models"])` is True, of "assay.modelsmith" it is False.
    """
    return any(module == package or module.startswith(f"{package}.") for package in packages)
