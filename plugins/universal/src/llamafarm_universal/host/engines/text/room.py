"""What a text engine does with the memory that it may use: room for states of texts, and for keys and values."""

from __future__ import annotations

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.drafter import Drafter
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, KVCache, blocks_for
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.working import CACHED_TOKENS
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.units import readable

_MOST_BLOCKS = 2**20


def most_running(plan: LoadPlan, runner: Runner, grant: int) -> int:
    """How many texts may run at once: what each takes, however long it is, must fit in so many bytes.

    Where keys and values need room beside it, in half of them. A grant of 0: nothing could be estimated, so that there
    is nothing to keep to. Raises RequestFailed.
    """
    most = plan.limits.sequences(plan.device)
    if not grant or not runner.text_bytes:
        return most
    fitting = (grant // 2 if runner.token_bytes else grant) // runner.text_bytes
    if fitting < 1:
        raise _no_room(plan, runner.text_bytes, grant)
    return min(most, fitting)


def allocated(plan: LoadPlan, runner: Runner, grant: int, running: int, drafter: Drafter | None = None) -> KVCache:
    """A cache of as many blocks as there is room for beside so many running texts. Raises RequestFailed.

    drafter: gets as many, so that it can follow each text.
    """
    left = grant - running * runner.text_bytes
    block_bytes = BLOCK_TOKENS * (runner.token_bytes + (drafter.token_bytes if drafter else 0))
    if not runner.token_bytes:
        blocks = _MOST_BLOCKS
    elif not grant:
        blocks = blocks_for(CACHED_TOKENS)
    else:
        blocks = min(_MOST_BLOCKS, left // block_bytes)
    if blocks < 1:
        raise _no_room(plan, block_bytes, left)
    runner.allocate(blocks)
    if drafter:
        drafter.allocate(blocks)
    return KVCache(blocks, shares=runner.shares)


def _no_room(plan: LoadPlan, needed: int, room: int) -> RequestFailed:
    return RequestFailed(
        "out_of_memory",
        f"{plan.named} needs {readable(needed)} for the shortest text, beside its weights; it may use "
        f"{readable(room)}.",
        hint="Use a smaller model, or give the runtime more memory.",
    )
