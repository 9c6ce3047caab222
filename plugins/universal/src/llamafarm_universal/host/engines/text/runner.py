"""What runs a model forward, for the texts of one step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, KVCache, blocks_for
from llamafarm_universal.host.engines.text.paged import NotPaged
from llamafarm_universal.host.engines.text.single_runner import SingleRunner
from llamafarm_universal.host.engines.working import CACHED_TOKENS
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.units import readable

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
_MOST_BLOCKS = 2**20  # of models whose cache does not grow


class Runner(Protocol):
    """token_bytes: what the cache takes for each token; 0 where it does not grow. shares: whether texts may share
    blocks. reads_in_chunks: whether a prompt may be read in several steps.
    """

    shares: bool
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
    try:
        return FlatRunner(module, device)
    except NotPaged as reason:
        log.info("%s reads one text at a time: %s", type(module).__name__, reason)
        return SingleRunner(module, device)


def cache_of(runner: Runner, plan: LoadPlan, grant: int) -> KVCache:
    """The cache that a runner works with: as many blocks as the grant, in bytes, has room for.

    Where nothing could be estimated, there is no grant to keep to. Raises RequestFailed where there is room for none.
    """
    block_bytes = runner.token_bytes * BLOCK_TOKENS
    blocks = min(grant // max(1, block_bytes), _MOST_BLOCKS) if grant else blocks_for(CACHED_TOKENS)
    if blocks < 1:
        raise RequestFailed(
            "out_of_memory",
            f"`{plan.ref.id}` needs {readable(block_bytes)} for the shortest text, beside its "
            f"weights; it may use {readable(grant)}.",
            hint="Use a smaller model, or give the runtime more memory.",
        )
    runner.allocate(blocks)
    return KVCache(blocks, shares=runner.shares)
