"""One call of a network of transformers at a time, each as if it were the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock

import numpy as np
import torch
from transformers import PretrainedConfig, PreTrainedModel

# While it collects hidden states the library exchanges methods of its modules, and a hook changes what a
# module answers: another thread's call of the same network must wait.
NETWORK_LOCK = RLock()
# transformers' hooks that read hidden states, and what it notes on a module that has them.
CAPTURES, CAPTURES_NOTED = "transformers.utils.output_capturing", "_output_capturing_hooks_installed"


@contextmanager
def turn(network: PreTrainedModel, *, from_embeddings: bool = False) -> Iterator[None]:
    """A scope for one call of a network.

    Attention is as it was built: BigBird would read all rows in full once it has met a short one. Outside
    training, random generators are left as they were. A network without a padding token, which refuses to
    answer to several rows at once, does so `from_embeddings`, where it reads each row's last token.
    """
    config = network.config.get_text_config()
    with (
        NETWORK_LOCK,
        nullcontext() if network.training else _generators_kept(),
        _padding_named(config) if from_embeddings else nullcontext(),
    ):
        if hasattr(network.config, "attention_type"):
            for module in network.modules():
                switch = getattr(module, "set_attention_type", None)
                if callable(switch):
                    # The outermost such module sets those inside.
                    switch(network.config.attention_type)
                    break
        try:
            yield
        finally:
            _forget_captures(network)


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Give numpy's and torch's own generators their states back: BigBird and Reformer seed them."""
    drawn = np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        np.random.set_state(drawn)  # noqa: NPY002


@contextmanager
def _padding_named(config: PretrainedConfig) -> Iterator[None]:
    if getattr(config, "pad_token_id", None) is not None:
        yield
        return
    config.pad_token_id = 0
    try:
        yield
    finally:
        config.pad_token_id = None


def _forget_captures(network: PreTrainedModel) -> None:
    """Take away hooks that nothing can pickle; transformers adds them anew to read hidden states."""
    noted = [vars(module).pop(CAPTURES_NOTED, False) for module in network.modules()]
    if any(noted):
        for module in network.modules():
            for key, hook in [*module._forward_hooks.items()]:
                if getattr(hook, "__module__", None) == CAPTURES:
                    del module._forward_hooks[key]
