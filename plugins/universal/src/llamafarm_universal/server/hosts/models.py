"""Models put into an engine host, and taken out of it."""

from __future__ import annotations

from itertools import count

from llamafarm_universal.messages import Load, Loaded, LoadedModel, ModelRef, Unload
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.hosts.supervisor import Supervisor

_NUMBERS = count(1)


async def load(host: Supervisor, plan: LoadPlan) -> LoadedModel:
    """Have a host read a model's weights. Raises LlamaFarmError."""
    running = await host.submit(Load(f"load-{next(_NUMBERS)}", plan, plan.working_bytes))
    try:
        while not isinstance(event := await running.next(), Loaded):
            pass
    finally:
        host.forget(running)
    return event.model


async def unload(host: Supervisor, ref: ModelRef) -> None:
    """Have a host let a model go, whatever it is doing. Raises LlamaFarmError."""
    running = await host.submit(Unload(f"unload-{next(_NUMBERS)}", ref))
    try:
        await running.next()
    finally:
        host.forget(running)
