"""A number with its noun."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number and the noun in the form that it needs; the plural ends in -s where none is given.

    Example:
        >>> counted(1, "text"), counted(1200, "text"), counted(0, "class", "classes")
        ('1 text', '1,200 texts', '0 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
