"""The seam between the server process and the engine host: plain picklable values, no tensors and no OpenAI shapes.

The server sends commands, the host answers each with events that carry the command's `request_id`:

    Load      -> LoadProgress*, Loaded | Failed
    Generate  -> LoadProgress*, Accepted, Piece*, Finished (one for each of `n` sequences) | Failed, at any point
    Count     -> LoadProgress*, Counted | Failed
    Embed     -> LoadProgress*, Accepted, Embedded | Failed
    Unload    -> Unloaded | Failed
    Pull      -> LoadProgress*, Pulled | Failed
    Remove    -> Removed | Failed
    Cancel    -> nothing more for that request, and its slot is free within one step
    Stop      -> the host ends

A request's last event is Loaded, Unloaded, Pulled, Removed, Counted, Embedded, Failed or its n-th Finished. `Ready` is
sent once, at the start, and `Models` whenever a model has been loaded or has gone, for whatever reason. A `Failed` with
an empty request id in place of `Ready` says why the host cannot start.
"""

from __future__ import annotations

from llamafarm_universal.host.messages.commands import (
    Cancel,
    ChatPrompt,
    Command,
    Count,
    Device,
    Dtype,
    Embed,
    Generate,
    Load,
    LoadSettings,
    ModelRef,
    Pull,
    Remove,
    Sampling,
    Stop,
    TextPrompt,
    Unload,
)
from llamafarm_universal.host.messages.events import (
    Accepted,
    Counted,
    Embedded,
    Event,
    Failed,
    FailureKind,
    Finished,
    Loaded,
    LoadedModel,
    LoadProgress,
    Models,
    Piece,
    Pulled,
    Ready,
    Removed,
    TokenLogprob,
    Unloaded,
)

__all__ = [
    "Accepted",
    "Cancel",
    "ChatPrompt",
    "Command",
    "Count",
    "Counted",
    "Device",
    "Dtype",
    "Embed",
    "Embedded",
    "Event",
    "Failed",
    "FailureKind",
    "Finished",
    "Generate",
    "Load",
    "LoadProgress",
    "LoadSettings",
    "Loaded",
    "LoadedModel",
    "ModelRef",
    "Models",
    "Piece",
    "Pull",
    "Pulled",
    "Ready",
    "Remove",
    "Removed",
    "Sampling",
    "Stop",
    "TextPrompt",
    "TokenLogprob",
    "Unload",
    "Unloaded",
]
