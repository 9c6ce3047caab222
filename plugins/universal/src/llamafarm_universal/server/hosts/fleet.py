"""The engine hosts of one server: one for each device, and others for models that would hold up the rest."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import psutil

from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import DeviceName, Ready
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.messages.statistics import Stats
from llamafarm_universal.server.hosts.entry import ENGINE_HOST
from llamafarm_universal.server.hosts.supervisor import Supervisor

log = logging.getLogger(__name__)

KEPT_BYTES = 64 * 1024 * 1024
"""A host that has been emptied may hold so much more than at its start before it is exchanged for a new one."""
Died = Callable[[Supervisor, str], None]


class Fleet:
    """died: told of each host that has died, with how it ended. told: what engines have counted."""

    def __init__(
        self,
        options: HostOptions,
        *,
        target: str = ENGINE_HOST,
        died: Died,
        told: Callable[[Stats], None] = lambda _: None,
    ) -> None:
        self._options = options
        self._target = target
        self._died = died
        self._told = told
        self._hosts: dict[str, Supervisor] = {}
        self._awaited: Counter[Supervisor] = Counter()
        self._past_deaths = 0
        self._resting = 0
        """How much memory the main host had when it was first given a model."""
        self.main = self._supervised(options)
        """The one of the default device, which is there from the start."""

    @property
    def deaths(self) -> int:
        """How often hosts have died."""
        return self._past_deaths + sum(host.deaths for host in (self.main, *self._hosts.values()))

    def start(self) -> None:
        """Start the main host."""
        self.main.start()

    async def close(self) -> None:
        """End all hosts."""
        await asyncio.gather(*(host.close() for host in (self.main, *self._hosts.values())))

    async def host_of(self, plan: LoadPlan) -> Supervisor:
        """The host that a model goes to, started where it is not there. Raises ServiceError."""
        ready = await self.main.wait_ready()
        if not plan.host and plan.device == ready.device:
            self._resting = self._resting or _resident_bytes(self.main)
            return self.main
        host = self._other(plan)
        self._awaited[host] += 1
        try:
            await host.wait_ready()
        finally:
            self._awaited[host] -= 1
        return host

    async def give_back(self, host: Supervisor) -> None:
        """End a host that holds no model any more; the main one is exchanged where it has not given memory back."""
        if host is not self.main:
            await self._end(host)
            return
        kept = _resident_bytes(host) - self._resting
        if kept > KEPT_BYTES:
            log.info("The emptied engine host still holds %d MB: it is exchanged for a new one.", kept / 1e6)
            await host.recycle()

    async def _end(self, host: Supervisor) -> None:
        name = next((name for name, other in self._hosts.items() if other is host), None)
        if name is None or self._awaited[host]:
            return
        del self._hosts[name], self._awaited[host]
        self._past_deaths += host.deaths
        await host.close()

    def _other(self, plan: LoadPlan) -> Supervisor:
        name = f"{plan.device} {plan.host}"
        if name not in self._hosts:
            yields = bool(plan.host) and not plan.ref.settings.isolated
            self._hosts[name] = self._supervised(replace(self._options, device=plan.device, yields=yields))
            self._hosts[name].start()
        return self._hosts[name]

    def _supervised(self, options: HostOptions) -> Supervisor:
        host = Supervisor(options, target=self._target, died=lambda how: self._died(host, how), told=self._told)
        return host


def free_bytes(ready: Ready, device: DeviceName) -> int:
    """What is free on a device: as the host said at its start; of the processor's memory, as it is now."""
    if device == ready.device and device != "cpu":
        return int(ready.details.get("free_bytes", 0))
    return int(psutil.virtual_memory().available)


def _resident_bytes(host: Supervisor) -> int:
    try:
        return int(psutil.Process(host.pid).memory_info().rss) if host.pid else 0
    except psutil.Error:
        return 0
