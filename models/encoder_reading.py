"""From a network of transformers to the encoder that `assay.models.encoder` runs, by the table of layouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from torch import nn
from transformers import PreTrainedModel

from assay.models.attention_kinds import NotOpenError
from assay.models.concept_layer import find_concept_layer
from assay.models.dense import Dense
from assay.models.encoder import Encoder, Head, Layer
from assay.models.layouts import HeadLayout, Layout, Part, find_layout, function_of
from assay.models.structure import foreign_part

Kind = TypeVar("Kind", bound=nn.Module)
NORMS = ("before_attention", "after_attention", "before_feed_forward", "after_feed_forward")


def read_encoder(network: PreTrainedModel) -> Encoder:
    """The encoder of a sequence classifier, its modules those of the network.

    Raises:
        NotOpenError: the network, or a setting of it, is not in the table of assay.models.layouts, or users
            put something on its modules.
    """
    layout, base = find_layout(network), network.base_model
    foreign = foreign_part(network)
    if foreign is not None:
        raise NotOpenError(f"{foreign}, which is not written out")
    try:
        # Layers that are used several times keep one layout of their weights for the kernels.
        read = {
            module: _layer(network, layout, module) for module in dict.fromkeys(_modules(network, layout))
        }
        project = _optional(base, layout.project)
        return Encoder(
            layers=tuple(read[module] for module in _modules(network, layout)),
            heads=int(network.config.num_attention_heads),
            activation=function_of(network, layout.activation),
            head=_head(network, layout.head),
            project=None if project is None else Dense(_of(project, nn.Linear)),
            last_norm=_norm(base, layout.last_norm),
        )
    except (AttributeError, TypeError, KeyError) as error:
        # Another version of transformers may have put them elsewhere.
        reason = " ".join(str(error).split())
        raise NotOpenError(
            f"the modules of this {type(network).__name__} are not where they are expected ({reason})"
        ) from error


def encoder_or_reason(network: PreTrainedModel, *, enters: bool) -> Encoder | str:
    """The encoder, or a clause for users that says why there is none.

    enters: whether the network can start from what its first layer reads.
    """
    try:
        encoder = read_encoder(network)
    except NotOpenError as error:
        return f"{error}; docs/models.md lists the networks that are open"
    return encoder if enters else "the network cannot start from what its first layer reads"


def _modules(network: PreTrainedModel, layout: Layout) -> Iterator[nn.Module]:
    """The layers in the order in which they are run, as often as they are."""
    listed = list(network.base_model.get_submodule(layout.layers).children())
    if layout.shared is None:
        yield from listed
        return
    layers = int(network.config.num_hidden_layers)
    for number in range(layers):
        yield from listed[int(number / (layers / len(listed)))].get_submodule(layout.shared).children()


def _layer(network: PreTrainedModel, layout: Layout, module: nn.Module) -> Layer:
    where = layout.layer
    return Layer(
        query=_dense(module, where.query),
        key=_dense(module, where.key),
        value=_dense(module, where.value),
        merge=_dense(module, where.merge),
        widen=_dense(module, where.widen),
        narrow=_dense(module, where.narrow),
        gate=None if where.gate is None else _dense(module, where.gate),
        attention=layout.attention(network, module),
        **{name: _norm(module, getattr(where, name)) for name in NORMS},
    )


def _head(network: PreTrainedModel, layout: HeadLayout) -> Head:
    config: Any = network.config
    pooling = "cls" if layout.pooling is None else getattr(config, layout.pooling)
    if pooling not in ("cls", "mean"):
        raise NotOpenError(f"its {layout.pooling}={pooling!r} is not written out, only 'cls' and 'mean'")
    rates = (getattr(config, name, None) for name in layout.dropout)
    return Head(
        hidden=_dense(network, layout.hidden),
        squash=function_of(network, layout.squash),
        norm=_norm(network, layout.norm),
        output=find_concept_layer(network) or _dense(network, layout.output),
        mean=pooling == "mean",
        dropout=float(next((rate for rate in rates if rate is not None), 0.0)),
    )


def _dense(module: nn.Module, at: str | Part) -> Dense:
    if isinstance(at, Part):
        return Dense(_of(module.get_submodule(at.path), nn.Linear), (at.number, at.of))
    return Dense(_of(module.get_submodule(at), nn.Linear))


def _norm(module: nn.Module, path: str | None) -> nn.LayerNorm | None:
    """The norm at a path; None where there is to be none, or where the network has left it out."""
    found = None if path is None else module.get_submodule(path)
    return None if found is None or isinstance(found, nn.Identity) else _of(found, nn.LayerNorm)


def _optional(module: nn.Module, path: str | None) -> nn.Module | None:
    owner, _, name = (path or "").rpartition(".")
    return getattr(module.get_submodule(owner), name, None) if path else None


def _of(module: nn.Module, kind: type[Kind]) -> Kind:
    # A subclass may answer as its kind does and yet compute something else.
    if type(module) is not kind:
        raise TypeError(f"{type(module).__name__} where {kind.__name__} was expected")
    return module
