"""Texts as LaTeX that pdflatex, xelatex and lualatex set alike, with no package but those of the tables."""

from __future__ import annotations

import unicodedata

from assay.results.inert import inert

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After the end of a row they would be its arguments.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    # Else two of them are one dash or one quotation mark.
    "-": "-{}",
    "`": "`{}",
    "'": "'{}",
    '"': "''",
    "–": "--",
    "—": "---",
    "‘": "`{}",
    "’": "'{}",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
    "\u00ad": r"\-",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "©": r"\copyright{}",
    "£": r"\pounds{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "¡": "!`",
    "¿": "?`",
}
# A symbol, then its command.
_SYMBOLS = """
↑ uparrow ↓ downarrow → rightarrow ← leftarrow ↔ leftrightarrow × times ÷ div ± pm · cdot • bullet ∘ circ
★ star ⋆ star ≡ equiv ≤ leq ≥ geq ≠ neq ≈ approx ∼ sim ∝ propto ∞ infty ∑ sum ∏ prod √ surd ∂ partial
∇ nabla ∈ in ∩ cap ∪ cup ⊂ subset ¬ neg ∧ wedge ∨ vee µ mu
"""
MATHEMATICS = dict(zip(_SYMBOLS.split()[::2], _SYMBOLS.split()[1::2], strict=True))
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
# Combining accents below a letter, which leave the dot of an i.
BELOW = 0x323, 0x327, 0x331
# Accents by their combining character; those that need no other font encoding.
_ABOVE = 0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C
ACCENTS: dict[int, str] = dict(zip((*_ABOVE, *BELOW), "`'^~=u.\"rHvdcb", strict=True))
# Greek capitals that look like Latin ones have no command.
_ALIKE = "alpha A beta B epsilon E zeta Z eta H iota I kappa K mu M nu N omicron O rho P tau T chi X"
_LIKE_LATIN = dict(zip(_ALIKE.split()[::2], _ALIKE.split()[1::2], strict=True))
_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma varsigma tau
upsilon phi chi psi omega
"""
_GREEK = frozenset(_NAMES.split())


def escape_latex(text: str) -> str:
    """The text as itself in LaTeX, on one line.

    A character that LaTeX cannot set without further fonts stands as its number, such as U+4E2D.

    Example:
        >>> escape_latex("50 % of ρ")
        '50 \\\\% of $\\\\rho$'
    """
    return "".join(map(_escaped, inert(" ".join(text.split()))))


def _escaped(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isascii():
        return character
    if character in MATHEMATICS:
        return rf"$\{MATHEMATICS[character]}$"
    if character == "−":
        return "$-$"
    if character in RAISED:
        return f"$^{RAISED[character]}$"
    return _greek(character) or _accented(character) or f"U+{ord(character):04X}"


def _greek(character: str) -> str:
    words = unicodedata.name(character, "").split()
    if words[:1] != ["GREEK"] or words[2:3] != ["LETTER"] or len(words) not in (4, 5):
        return ""
    name = " ".join(words[3:]).lower()
    name = {"lamda": "lambda", "final sigma": "varsigma"}.get(name, name)
    if " " in name or name not in _GREEK:
        return ""
    if words[1] == "CAPITAL":
        return _LIKE_LATIN.get(name) or rf"$\{name.capitalize()}$"
    return "o" if name == "omicron" else rf"$\{name}$"


def _accented(character: str) -> str:
    """A Latin letter with one accent."""
    letter, *accents = unicodedata.normalize("NFD", character)
    if len(accents) != 1 or not (letter.isascii() and letter.isalpha()) or ord(accents[0]) not in ACCENTS:
        return ""
    if accents[0] == "\u0327" and letter not in "cCsS":
        return ""  # fonts of xelatex have no others
    dotless = letter in "ij" and ord(accents[0]) not in BELOW
    return "\\" + ACCENTS[ord(accents[0])] + "{" + ("\\" if dotless else "") + letter + "}"
