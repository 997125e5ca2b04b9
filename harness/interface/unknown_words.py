"""Words of a text that a model cannot tell from other words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.models.protocol import Model

# So many of them are named.
NAMED = 8


def unknown_words(model: Model, texts: tuple[str, ...]) -> list[str]:
    """The words that a model reads as its unknown token, in whole or in part, each once, in order.

    Args:
        model: one without an unknown token knows every word.
        texts: one text, or a pair.

    Example:
        >>> unknown_words(model, ("a wonderfull film",))  # doctest: +SKIP
        ['wonderfull']
    """
    unknown: int | None = getattr(model, "unk_id", None)
    if unknown is None:
        return []
    (encoding,) = model.encode([texts])
    found: dict[str, None] = {}
    for word in dict.fromkeys(encoding.word_ids[encoding.ids == unknown].tolist()):
        if word >= 0:
            places = np.flatnonzero(encoding.word_ids == word)
            offsets = encoding.offsets[places]
            text = texts[int(encoding.segments[places[0]])]
            found[text[offsets[:, 0].min() : offsets[:, 1].max()]] = None
    return list(found)


def unknown_line(words: Sequence[str]) -> str:
    """A line about words that a model does not know; "" without any.

    Example:
        >>> unknown_line(["wonderfull"])
        '1 word is unknown to the model: wonderfull'
    """
    if not words:
        return ""
    more = f" and {len(words) - NAMED:,} more" if len(words) > NAMED else ""
    number = "1 word is" if len(words) == 1 else f"{len(words):,} words are"
    return f"{number} unknown to the model: {', '.join(words[:NAMED])}{more}"
