"""One load, once there is room: weights that a host reads, or an adapter that is put on those of a model it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llamafarm_universal.messages import LoadedModel, LoadProgress, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.hosts.fleet import Fleet
from llamafarm_universal.server.hosts.models import load
from llamafarm_universal.server.lease import Lease
from llamafarm_universal.server.resident import Listener, Resident


async def read(resident: Resident, plan: LoadPlan, fleet: Fleet) -> LoadedModel:
    """Have a host read a model's weights. Raises LlamaFarmError."""
    resident.state = "loading"
    resident.tell(LoadProgress("", "loading", f"Loading {resident.ref.id}"))
    resident.host = await fleet.host_of(plan)
    return await load(resident.host, plan)


async def put_beside(
    resident: Resident, plan: LoadPlan, lease_of: Callable[[ModelRef, Listener], Awaitable[Lease]]
) -> LoadedModel:
    """Have an adapter put on the layers of the model that it changes, where that one is. Raises LlamaFarmError."""
    lease = await lease_of(resident.ref.base, resident.tell)
    try:
        resident.state = "loading"
        resident.tell(LoadProgress("", "loading", f"Loading {resident.ref.settings.adapter}"))
        resident.base, resident.host = lease.resident, lease.host
        return await load(lease.host, plan)
    finally:
        lease.release()
