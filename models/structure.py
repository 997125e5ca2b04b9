"""Which modules a network consists of, to see whether it was changed since its parts were read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

# Of a module: its name, itself, the hooks that are a user's, and whether its `forward` was exchanged.
Part = tuple[str, nn.Module, tuple[Any, ...], bool]
# transformers leaves hooks of its own where hidden states were asked for.
LIBRARY = "transformers."


def structure(network: nn.Module) -> tuple[Part, ...]:
    """All modules of a network in order, with what users can hang on them."""
    return tuple(
        (name, module, tuple(_hooks(module)), "forward" in vars(module))
        for name, module in network.named_modules()
    )


def changed_part(before: tuple[Part, ...], now: tuple[Part, ...]) -> str | None:
    """The name of the first module that is another than before, or has other hooks; None if there is none."""
    for one, other in zip(before, now, strict=False):
        if one != other:
            return other[0]
    if len(before) == len(now):
        return None
    return max(before, now, key=len)[min(len(before), len(now))][0]


def _hooks(module: nn.Module) -> Iterator[Any]:
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in hooks.values():
            if not str(getattr(hook, "__module__", "")).startswith(LIBRARY):
                yield hook
