"""A page of explained texts, one below the other."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h2{font-size:1rem;margin:1.5rem 0 .25rem}"
)


def page(explained: Iterable[tuple[str, str]]) -> str:
    """The page as one file without scripts that asks nothing of a network.

    explained: headings as text, and explanations as HTML.
    """
    body = "\n".join(f"<h2>{escape(heading)}</h2>\n{html}" for heading, html in explained)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Explained texts</title><style>{STYLE}</style></head>\n<body>\n<h1>Explained texts</h1>\n"
        "<p>Blue speaks for the label, orange against it; violet where scores have a size only. Point at a "
        f"word for its score.</p>\n{body}\n</body></html>\n"
    )
