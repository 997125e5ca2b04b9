"""Files stay short, and the script that counts lines counts code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

SOURCE = '''"""Two lines
of docstring."""

# A comment.
X = [
    1,
]


def f(x):
    """One."""
    y = x  # code

    return y
'''


@pytest.fixture
def code_size(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("code_size", ROOT / "scripts" / "code_size.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "code_size", module)
    spec.loader.exec_module(module)
    return module


def test_docstrings_comments_and_blank_lines_are_no_code(code_size: ModuleType) -> None:
    size = code_size.size(SOURCE)
    assert (size.lines, size.code, size.docstring, size.functions) == (14, 6, 3, (2,))


def test_no_product_file_is_longer_than_320_lines(code_size: ModuleType) -> None:
    lines = {str(path): text.count("\n") for path, text in code_size.files(ROOT, tests=False)}
    assert len(lines) > 100
    long = {path: number for path, number in lines.items() if number > code_size.LONGEST}
    assert not long, f"part these files: {long}"
