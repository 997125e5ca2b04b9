"""The minus sign of numbers that are read, not calculated with."""

from __future__ import annotations


def minus(number: str) -> str:
    """A number, or several, with minus signs in place of hyphens.

    Args:
        number: as Python formats it.

    Example:
        >>> minus("[-0.50, 1.20]")
        '[−0.50, 1.20]'
    """
    return number.replace("-", "−")
