"""What a model makes of a picture or a sound, before its text model reads it.

A model's own forward is let run until it calls its text model: by then it has put the vectors of media in the places of
their tokens. Nothing needs to be known of the towers, projectors and connectors before that.
"""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.stepwise import TURN_SECONDS, Stepwise, give_turns
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.multimodal.medium import Medium
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.text.multimodal.medium import Arrays

ADDED = "deepstack_visual_embeds"
"""What text models call the vectors that they add to the states of tokens behind their first layers."""


class NotSeen(Exception):
    """A model hands its text model no vectors in the places of tokens."""


class _Reached(Exception):
    """The text model has been called. options: with what."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__("the text model is called")
        self.options = options


class Tower:
    """module: of transformers, with a text model inside."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._device = str(module.device)
        self._takes_positions = "position_ids" in inspect.signature(module.forward).parameters

    def have_turns(self) -> None:
        """Have calls that are taken step by step hand over between layers, but those of the text model."""
        for part in _but(self._module, self._module.get_decoder()):
            give_turns(part)

    def vectors(self, medium: Medium) -> Tensor:
        """What the text model gets in the places of a medium: [1 + layers, places, size].

        First what stands there, then what is added behind each of its first layers, where the model does so (Qwen3-VL
        and others, as `deepstack_visual_embeds`). Raises NotSeen.
        """
        with torch.inference_mode():
            options = self._handed_over(medium.tokens, medium.arrays)
            own = options["inputs_embeds"][0].index_select(0, to_device(list(medium.offsets), self._device))
            added = options.get(ADDED) or ()
            if any(layer.shape != own.shape for layer in added):
                raise NotSeen("it adds something else to the layers of its text model")
            return torch.stack([own, *(layer.to(own.dtype) for layer in added)])

    def _handed_over(self, tokens: tuple[int, ...], arrays: Arrays) -> Mapping[str, Any]:
        """What the text model is called with."""
        own = threading.get_ident()

        def stop(_module: Any, _given: Any, options: dict[str, Any]) -> None:
            if threading.get_ident() == own:  # texts are read meanwhile, if this call is taken step by step
                raise _Reached(options)

        hook = self._module.get_decoder().register_forward_pre_hook(stop, with_kwargs=True)
        ids = to_device([list(tokens)], self._device)
        options = (
            {"position_ids": torch.arange(len(tokens), device=self._device)[None]} if self._takes_positions else {}
        )
        try:
            self._module(input_ids=ids, **on_device(arrays, self._module), **options, use_cache=False, return_dict=True)
        except _Reached as reached:
            vectors = reached.options.get("inputs_embeds")
            if vectors is None or vectors.shape[:2] != ids.shape:
                raise NotSeen("its text model gets no vectors in the places of tokens") from None
            return reached.options
        finally:
            hook.remove()
        raise NotSeen("it does not call its text model")


def on_device(arrays: Arrays, module: Any) -> dict[str, Tensor]:
    """Arrays of a processor as a model takes them."""
    tensors = {name: to_device(array, module.device) for name, array in arrays.items()}
    return {name: tensor.to(module.dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _but(module: Any, part: Any) -> Iterator[Any]:
    """The modules inside a module that neither are a part of it nor hold that."""
    for child in module.children():
        if child is part:
            continue
        if any(each is part for each in child.modules()):
            yield from _but(child, part)
        else:
            yield child


class Sight:
    """Sees the media of prompts, each once; and keeps what it made of the last ones. room: bytes for these."""

    def __init__(self, tower: Tower, room: int) -> None:
        self._tower = tower
        self._room = room
        self._kept: OrderedDict[tuple[str, bytes], Tensor] = OrderedDict()
        self._seeing: tuple[Medium, Stepwise[Tensor]] | None = None
        tower.have_turns()

    def unseen(self, reading: Reading) -> Medium | None:
        """The first medium that must be seen before these tokens are read."""
        context = reading.context
        if context.media is None:
            return None
        needed = context.media.within(context.stored, context.stored + reading.count)
        return next((medium for medium in needed if not self._is_seen(medium, context)), None)

    def see(self, medium: Medium, context: Context, seconds: float = TURN_SECONDS) -> None:
        """Have the model go on to see a medium of a text, for about so long."""
        if self._seeing is None or self._seeing[0] is not medium:
            self.rest()
            self._seeing = medium, Stepwise(partial(self._tower.vectors, medium))
        call = self._seeing[1]
        try:
            if not call.step(seconds):
                return
        except BaseException:
            self._seeing = None
            raise
        self._seeing = None
        medium.vectors = call.value()
        self._kept[context.salt, medium.digest] = medium.vectors
        while len(self._kept) > 1 and sum(vectors.nbytes for vectors in self._kept.values()) > self._room:
            self._kept.popitem(last=False)

    def forget(self, context: Context) -> None:
        """Let go of what has been read of a text: if it is read again, it is among the last ones, or is seen again."""
        for medium in context.media.media if context.media else ():
            if medium.places[-1] < context.stored:
                medium.vectors = None

    def rest(self) -> None:
        """End what is being seen: nobody waits for it any more."""
        if self._seeing is not None:
            self._seeing[1].close()
            self._seeing = None

    def _is_seen(self, medium: Medium, context: Context) -> bool:
        """Whether its vectors are there: only requests of one tenant share them, as they do blocks."""
        key = (context.salt, medium.digest)
        if medium.vectors is None and key in self._kept:
            medium.vectors = self._kept[key]
        if key in self._kept:
            self._kept.move_to_end(key)
        return medium.vectors is not None
