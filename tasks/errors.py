"""The one exception for input that a user can mend."""


class InputError(ValueError):
    """Bad input; the message is one sentence: what, where, what was expected, what to do."""


def did_you_mean(name: str, choices: list[str]) -> str:
    """The end of a sentence about an unknown name: the nearest choice, if any, and all of them."""
    from difflib import get_close_matches

    near = get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}available: {', '.join(sorted(choices))}"
