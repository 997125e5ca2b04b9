"""A page of explained texts, one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h2{font-size:1rem;margin:1.5rem 0 .25rem}"
    ".said{margin:0 0 .75rem;font-size:.85rem}"
    "ul{padding-left:1.2rem}li{overflow-wrap:anywhere}"
)


class OnText(NamedTuple):
    """One text.

    Attributes:
        heading: which it is.
        note: what to know of it; empty for nothing.
        explanations: each as HTML, with what is said of it.
    """

    heading: str
    note: str
    explanations: list[tuple[str, str]]


def page(about: str, texts: Iterable[OnText], measured: Sequence[str]) -> str:
    """The page as one file without scripts that asks nothing of a network.

    Args:
        about: what explained, in a sentence.
        texts: with their explanations.
        measured: lines on how good the explainers were where they were measured.
    """
    lines = [f"<p>{escape(about)}</p>"]
    for text in texts:
        lines.append(f"<h2>{escape(text.heading)}</h2>")
        lines += [f"<p>{escape(text.note)}</p>"] if text.note else []
        for html, said in text.explanations:
            lines += [html, f'<p class="said">{escape(said)}</p>']
    if measured:
        items = "\n".join(f"<li>{escape(line)}</li>" for line in measured)
        lines.append(f"<h2>How good the explainers were where they were measured</h2>\n<ul>\n{items}\n</ul>")
    body = "\n".join(lines)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Explained texts</title><style>{STYLE}</style></head>\n<body>\n<h1>Explained texts</h1>\n"
        "<p>Blue speaks for the label, orange against it; violet where scores have a size only. Point at a "
        f"word for its score.</p>\n{body}\n</body></html>\n"
    )
