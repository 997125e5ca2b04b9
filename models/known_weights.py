"""Whether a model is still the one that something was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast
from weakref import ref

from torch import nn

from assay.models.protocol import Model
from assay.models.saving import weights_hash
from assay.models.training import Trainable
from assay.models.weight_state import WeightState, weight_states


@dataclass(slots=True, eq=False)
class Weights:
    """The weights of a model. hash: of `weights_hash`; empty for a model without a network, whose weights are
    not known.

    Example:
        >>> Weights.of(model).are_those_of(model)  # doctest: +SKIP
        True
    """

    hash: str
    # The network that was last found to have them, and its state then, so that it is hashed once.
    _seen: tuple[ref[nn.Module], list[WeightState]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, model: Model) -> Weights:
        """Those that the model has now."""
        network = _network(model)
        if network is None:
            return cls("")
        return cls(weights_hash(cast(Trainable, model)), (ref(network), _state(network)))

    def are_those_of(self, model: Model) -> bool:
        """Whether the model has them; True where one of the two has no network to tell by."""
        network = _network(model)
        if network is None or not self.hash:
            return True
        now = _state(network)
        if self._seen is not None and self._seen[0]() is network and self._seen[1] == now:
            return True
        if weights_hash(cast(Trainable, model)) != self.hash:
            return False
        self._seen = ref(network), now
        return True

    def __reduce__(self) -> tuple[type[Weights], tuple[str]]:
        """For another process; which network has them is not known there."""
        return Weights, (self.hash,)


def _network(model: Model) -> nn.Module | None:
    network = getattr(model, "network", None)
    return network if isinstance(network, nn.Module) else None


def _state(network: nn.Module) -> list[WeightState]:
    return weight_states(list(network.state_dict().values()), every=True)
