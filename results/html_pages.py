"""What all pages of HTML have in common: every text is escaped, an undefined name is an error."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from assay.results.minus import minus


def environment(*folders: str, filters: tuple[Callable[..., Any], ...] = ()) -> Environment:
    """Where templates are read from, and what they may call.

    Args:
        folders: of `assay.results`, of which the first that has a template is asked.
        filters: by their names, beside `minus`.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(f"assay.results.{name}", "") for name in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {function.__name__: function for function in (minus, *filters)}
    return made


def encodable(html: str) -> str:
    """The page without halves of surrogate pairs, which a careless file may hold and no encoding can write.

    Example:
        >>> encodable("a\\ud800b")
        'a?b'
    """
    return html.encode("utf-8", "replace").decode()


def script_hash(script: str) -> str:
    """The hash by which a content security policy names the one script that a page may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
