"""Which modules a network consists of: whether users put something on them, now or after they were read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

# Of a module: its name, itself, the hooks that are a user's, and whether its `forward` was exchanged.
Part = tuple[str, nn.Module, tuple[Any, ...], bool]
# transformers leaves hooks of its own where hidden states were asked for.
LIBRARY = "transformers."
# Whose modules do what the layouts say of them.
KNOWN = ("torch", "transformers", "assay")


def structure(network: nn.Module) -> tuple[Part, ...]:
    """All modules of a network in order, with what users can hang on them."""
    return tuple(
        (name, module, tuple(_hooks(module)), "forward" in vars(module))
        for name, module in network.named_modules()
    )


def foreign_part(network: nn.Module) -> str | None:
    """A clause on the first module that may compute something else than its library's, None if there is none.

    It may answer alike today, such as LoRA's layers before they are trained.
    """
    for name, module, hooks, has_forward in structure(network):
        kind = type(module)
        known = kind.__module__.partition(".")[0] in KNOWN
        part = f"its module {name!r}" if name else "it"
        if not known and not is_parametrized(module):
            return f"{part} is of the class {kind.__module__}.{kind.__qualname__}"
        if hooks or has_forward or is_parametrized(module):
            what = "a hook" if hooks else "a forward of its own" if has_forward else "a parametrization"
            return f"{part} has {what}"
    return None


def changed_part(before: tuple[Part, ...], now: tuple[Part, ...]) -> str | None:
    """The name of the first module that is another than before, or has other hooks; None if there is none."""
    for one, other in zip(before, now, strict=False):
        if one != other:
            return other[0]
    if len(before) == len(now):
        return None
    return max(before, now, key=len)[min(len(before), len(now))][0]


def _hooks(module: nn.Module) -> Iterator[Any]:
    kinds = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    for hooks in kinds:
        for hook in hooks.values():
            if not str(getattr(hook, "__module__", "")).startswith(LIBRARY):
                yield hook
