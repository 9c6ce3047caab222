"""What the server tells an engine host when it starts it."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.messages import Device, Dtype
from llamafarm_universal.messages.plan import Limits

PREPARE_SECONDS = 60.0


@dataclass(frozen=True)
class HostOptions(Limits):
    """Settings of one engine host, for all of its models.

    device, dtype: what `auto` means for a model that asks for nothing else. prepare_seconds: how long the preparation
    of one request may take. yields: whether its steps are so long that those of other hosts go first.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    prepare_seconds: float = PREPARE_SECONDS
    yields: bool = False
