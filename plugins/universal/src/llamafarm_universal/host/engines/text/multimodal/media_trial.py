"""A prompt with two pictures, or sounds, that a model reads in two ways when it is loaded: both must give the same.

Of each token, that is, not of the last one alone: what a model's later tokens look at is learned, and a short prompt
may have none that looks at a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.kv_cache import KVCache, blocks_for
from llamafarm_universal.host.engines.text.multimodal.prompts import MediaPrompts
from llamafarm_universal.host.engines.text.multimodal.tower import Tower, on_device
from llamafarm_universal.host.models.rounding import difference, embeddings_off_by, is_coarse, tolerance

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.text.runner import Runner

_TEXT = 9
"""Tokens of another text, which is read beside it."""


class MediaTrial:
    """What a model makes of a prompt with media in its own forward: asked before anything of it is changed."""

    def __init__(self, module: Any, prompts: MediaPrompts) -> None:
        self._module = module
        self._tower = Tower(module)
        self._prompts = prompts
        self._inputs = on_device(prompts.read("whole").sample().inputs, module)
        self._wanted = self._at_once()
        self._noise = self._rounding()

    def passes_by(self, runner: Runner) -> bool:
        """Whether a runner gives the same, but for rounding, where it reads the prompt in pieces, beside a text."""
        states = self._read(runner)
        return len(states) == len(self._wanted) and self._off(states) <= max(trial.TOLERANCE, tolerance(self._noise))

    def _read(self, runner: Runner) -> Tensor:
        prompt = self._prompts.sample()
        for medium in prompt.media:
            medium.vectors = self._tower.vectors(medium)
        context, beside = Context(list(prompt.tokens), media=prompt), Context(trial.tokens(self._module)[:_TEXT])
        blocks = blocks_for(len(prompt.tokens)) + blocks_for(_TEXT)
        runner.allocate(blocks)
        cache = KVCache(blocks, shares=False)
        for each in (beside, context):
            each.table = cache.open(each.tokens, "")
            cache.grow(each.table, len(each.tokens))
        pieces: list[Tensor] = []
        cuts = [0, *sorted({prompt.uncut(0, medium.places[0] + 2) for medium in prompt.media}), len(prompt.tokens)]
        for begin, end in pairwise(cuts):
            company = [] if begin else [Reading(beside, _TEXT)]
            with self._states() as states:
                runner.run([*company, Reading(context, end - begin)])
            context.stored = end
            pieces.append(states[0][begin - end :])
        return torch.cat(pieces)

    def _off(self, states: Tensor) -> float:
        return max(difference(*pair) for pair in zip(states, self._wanted, strict=True))

    def _rounding(self) -> float:
        """How far what the model makes is from itself where its embeddings are off by a rounding; 0 in float32."""
        dtype = self._module.get_input_embeddings().weight.dtype
        if not is_coarse(dtype):
            return 0.0
        with embeddings_off_by(float(torch.finfo(dtype).eps), self._module):
            return self._off(self._at_once())

    def _at_once(self) -> Tensor:
        with torch.inference_mode(), self._states() as states:
            self._module(**self._inputs, use_cache=False, return_dict=True)
        return states[0]

    @contextmanager
    def _states(self) -> Iterator[list[Tensor]]:
        """The last states of each token, [tokens, size], of each call of the text model within."""
        states: list[Tensor] = []

        def note(_module: Any, _given: Any, output: Any) -> None:
            states.append(output[0][0].float())

        hook = self._module.get_decoder().register_forward_hook(note)
        try:
            yield states
        finally:
            hook.remove()
