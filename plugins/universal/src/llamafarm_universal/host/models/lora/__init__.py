"""Adapters beside the weights of a loaded model: several at once, each on the rows of its own texts.

An adapter is read from its files (`files`) into what it changes of each layer (`change`), and put on a model's layers
(`layers`), which look at each call for whose rows it computes (`applied`). The weights themselves are never touched: a
row without an adapter gives what it gives without any adapter loaded, to the last bit.
"""

from llamafarm_universal.host.models.lora.adapter import Adapter
from llamafarm_universal.host.models.lora.applied import Mix, applied
from llamafarm_universal.host.models.lora.files import read_adapter
from llamafarm_universal.host.models.lora.layers import AdaptedLayers

__all__ = ["AdaptedLayers", "Adapter", "Mix", "applied", "read_adapter"]
