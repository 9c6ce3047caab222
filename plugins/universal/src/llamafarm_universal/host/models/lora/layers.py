"""The layers of a loaded model that adapters change: each looks, when it is called, for whose rows that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamafarm_universal.host.models.lora.adapter import Adapter
from llamafarm_universal.host.models.lora.applied import shares
from llamafarm_universal.host.models.lora.change import Change

if TYPE_CHECKING:
    from torch import Tensor


class AdaptedLayers:
    """Those of one model. All of it is called by the thread that runs the model."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._hooks: dict[str, _Hook] = {}

    def put(self, adapter: Adapter) -> None:
        """Have an adapter take part in the forwards that it is `applied` in."""
        for name, change in adapter.changes.items():
            if name not in self._hooks:
                self._hooks[name] = _Hook(name, self._module.get_submodule(name))
            self._hooks[name].changes[adapter] = change

    def remove(self, adapter: Adapter) -> None:
        """Forget an adapter; layers that no other one changes are as they were."""
        for name in adapter.changes:
            hook = self._hooks.get(name)
            if hook is not None and hook.changes.pop(adapter, None) is not None and not hook.changes:
                self._hooks.pop(name).handle.remove()


class _Hook:
    """Changes what a layer gives. A hook, so that any form of the layer can have it, and stays what it is."""

    def __init__(self, name: str, layer: Any) -> None:
        self.name = name
        self.changes: dict[Adapter, Change] = {}
        self.handle = layer.register_forward_hook(self)

    def __call__(self, _layer: Any, given: tuple[Tensor, ...], product: Tensor) -> Tensor | None:
        for share in shares():
            change = self.changes.get(share.adapter)
            if change is not None:
                product = share.apply(change, given[0], product)
                share.adapter.unused.discard(self.name)
        return product
