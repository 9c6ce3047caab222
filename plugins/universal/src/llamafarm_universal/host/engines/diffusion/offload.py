"""A model whose parts take turns on the device: each is brought there when it is about to compute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from accelerate.hooks import ModelHook, add_hook_to_module


class Place:
    """Room for one part. device: where it is; home: where the others wait.

    diffusers' own offloading begins anew after each call of a pipeline, which would take the parts away from other
    calls that are under way.
    """

    def __init__(self, device: str, home: str = "cpu") -> None:
        self.device = device
        self.home = home
        self.holds: Any = None

    def bring(self, part: Any) -> None:
        """Have a part lie on the device, and the one that lay there at home."""
        if self.holds is part:
            return
        if self.holds is not None:
            self.holds.to(self.home)
        self.holds = None
        part.to(self.device)
        self.holds = part


class _Brought(ModelHook):  # type: ignore[misc]  # accelerate has no types
    """execution_device: where pipelines make what they give to their parts."""

    def __init__(self, place: Place) -> None:
        self.execution_device = place.device
        self._place = place

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self._place.bring(module)
        return args, kwargs


def take_turns(parts: Iterable[Any], place: Place) -> None:
    """Have parts of a model, which are at home, take turns in a place."""
    for part in parts:
        add_hook_to_module(part, _Brought(place))
