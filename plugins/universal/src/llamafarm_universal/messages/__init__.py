"""The seam between the server process and its children: plain picklable values, no tensors and no OpenAI shapes.

The server sends commands, a child answers each with events that carry the command's `request_id`. An engine host:

    Load      -> Loaded | Failed
    Run       -> Accepted, (Piece | Progress)*, Finished (one for each answer of the work) | Failed,
                 at any point
    Unload    -> Unloaded | Failed

The store of models' files:

    Locate    -> LoadProgress*, Located | Failed
    Pull      -> LoadProgress*, Pulled | Failed
    Describe  -> Described | Failed
    Remove    -> Removed | Failed

Both:

    Cancel    -> nothing more for that request, and its slot is free within one step
    Stop      -> the process ends

Events travel in tuples: what one turn of a child brought leaves in one send. An event knows whether it `is_last`: a
request ends with a Failed, or when it has had as many other last events as its work has answers. `Ready` is sent once,
at the start; a `Failed` with an empty request id in its place says why the child cannot start. An engine host sends
`Stats`, which belong to no request, once a second at most.
"""

from __future__ import annotations

from llamafarm_universal.messages.blob import Blob
from llamafarm_universal.messages.commands import (
    Cancel,
    Command,
    Describe,
    HostRequest,
    Load,
    Locate,
    Pull,
    Remove,
    Run,
    Stop,
    StoreRequest,
    Unload,
)
from llamafarm_universal.messages.events import (
    Accepted,
    Answer,
    Channel,
    Described,
    Event,
    Failed,
    FailureKind,
    Finished,
    HostAnswer,
    Loaded,
    LoadedModel,
    LoadProgress,
    Located,
    Piece,
    Progress,
    Pulled,
    Ready,
    Removed,
    StoreAnswer,
    Stored,
    TokenLogprob,
    Unloaded,
    Usage,
)
from llamafarm_universal.messages.machine import Machine
from llamafarm_universal.messages.model import (
    Device,
    DeviceName,
    Dtype,
    DtypeName,
    LoadSettings,
    ModelRef,
    Quantization,
)
from llamafarm_universal.messages.work import (
    ChatPrompt,
    Classes,
    Classify,
    Count,
    DrawImage,
    Drawing,
    EditImage,
    Embed,
    Entity,
    FindEntities,
    Generate,
    ImageFormat,
    InputType,
    Sampling,
    Score,
    Scores,
    Strategy,
    Structure,
    TextPrompt,
    ToolChoice,
    Transcribe,
    Translate,
    VaryImage,
    Work,
)

__all__ = [
    "Accepted",
    "Answer",
    "Blob",
    "Cancel",
    "Channel",
    "ChatPrompt",
    "Classes",
    "Classify",
    "Command",
    "Count",
    "Describe",
    "Described",
    "Device",
    "DeviceName",
    "DrawImage",
    "Drawing",
    "Dtype",
    "DtypeName",
    "EditImage",
    "Embed",
    "Entity",
    "Event",
    "Failed",
    "FailureKind",
    "FindEntities",
    "Finished",
    "Generate",
    "HostAnswer",
    "HostRequest",
    "ImageFormat",
    "InputType",
    "Load",
    "LoadProgress",
    "LoadSettings",
    "Loaded",
    "LoadedModel",
    "Locate",
    "Located",
    "Machine",
    "ModelRef",
    "Piece",
    "Progress",
    "Pull",
    "Pulled",
    "Quantization",
    "Ready",
    "Remove",
    "Removed",
    "Run",
    "Sampling",
    "Score",
    "Scores",
    "Stop",
    "StoreAnswer",
    "StoreRequest",
    "Stored",
    "Strategy",
    "Structure",
    "TextPrompt",
    "TokenLogprob",
    "ToolChoice",
    "Transcribe",
    "Translate",
    "Unload",
    "Unloaded",
    "Usage",
    "VaryImage",
    "Work",
]
