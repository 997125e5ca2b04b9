"""Cards as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from assay.harness.exchange.atomic import whole_file
from assay.results.card.card import Card
from assay.results.card.write import to_html, to_json, to_markdown
from assay.results.records import TRAINED
from assay.tasks.errors import InputError


def write_cards(cards: Sequence[Card], folder: Path, *, overwrite: bool) -> list[str]:
    """Write each card as Markdown, JSON and HTML; returns their names without endings.

    Raises:
        InputError: a file is there already and `overwrite` is false, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; expected a folder for the cards")
    names = card_names(cards)
    files = {
        folder / f"{name}.{ending}": (card, write)
        for name, card in zip(names, cards, strict=True)
        for ending, write in (("md", to_markdown), ("json", to_json), ("html", to_html))
    }
    for path in files:
        if path.exists() and not overwrite:
            raise InputError(f"{str(path)!r} exists; give another folder, or --overwrite to replace it")
    for path, (card, write) in files.items():
        with whole_file(path, overwrite=overwrite) as part:
            part.write_bytes(write(card).encode())
    return names


def card_names(cards: Sequence[Card]) -> list[str]:
    """Names for files, of letters, digits, dots and hyphens, each once."""
    found: list[str] = []
    for card in cards:
        kind = () if card.group.kind == TRAINED else (card.group.kind,)
        name = file_name(card.group.task, card.group.model, *kind, *filter(None, card.method))
        found.append(f"{name}-{found.count(name) + 1}" if name in found else name)
    return found


def file_name(*parts: str) -> str:
    """Parts of a name in one that every file system and `sha256sum` takes.

    Example:
        >>> file_name("tweets/en", "cnn x")
        'tweets_en-cnn_x'
    """
    return "-".join(re.sub(r"[^A-Za-z0-9.=]+", "_", part).strip(".") or "_" for part in parts)
