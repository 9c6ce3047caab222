"""What runs a model forward, for the texts of one step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.encoder_decoder_runner import EncoderDecoderRunner
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.pageable import NotPaged
from llamafarm_universal.host.engines.text.single_runner import SingleRunner
from llamafarm_universal.host.engines.text.state_runner import StateRunner

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)


class Runner(Protocol):
    """token_bytes: what the cache takes for each token; 0 where it does not grow. text_bytes: what it takes for each
    text beside that. shares: whether texts may share blocks. reads_together: whether several texts may be read at once;
    what has failed so can be read again. takes_guesses: whether tokens that were read can be taken back.
    reads_in_chunks: whether a prompt may be read in several steps. mixes_adapters: whether texts with several adapters
    may be read at once; where they may not, all texts of a call have the same one.
    """

    shares: bool
    reads_together: bool
    takes_guesses: bool
    mixes_adapters: bool
    text_bytes: int
    reads_in_chunks: bool

    @property
    def token_bytes(self) -> int: ...

    def allocate(self, blocks: int) -> None:
        """Make room for so many blocks."""
        ...

    def run(self, readings: Sequence[Reading]) -> Tensor:
        """Read tokens of several texts.

        Returns the logits of those that are complete with them, in order: float32 [texts, vocabulary].
        """
        ...

    def wipe(self, context: Context) -> None:
        """Forget what is stored of a text: there may be what is no number."""
        ...


def runner_of(module: Any, device: str) -> Runner:
    """The runner of a model: all texts in one forward, or one after the other where that gives something else.

    Raises RequestFailed for a model that cannot be streamed at all.
    """
    if module.config.is_encoder_decoder:
        return EncoderDecoderRunner(module, device)
    for runner in (FlatRunner, StateRunner):
        try:
            return runner(module, device)
        except NotPaged as reason:
            log.info("%s is not for the %s: %s", type(module).__name__, runner.__name__, reason)
    return SingleRunner(module, device)
