"""What requests about models may say, and those for operations that an engine has declared."""

from __future__ import annotations

from typing import Any

from llamafarm_universal.server.fields import Done, Table, as_object, boolean, choice, number, record, text
from llamafarm_universal.server.keep import FOREVER

MAX_KEEP_ALIVE = 10**9
"""Seconds: 30 years."""


MAX_ADAPTER_SCALE = 100.0
"""Far more than any adapter bears."""
FETCHED_BY = (
    "revision",
    "trust_remote_code",
    "draft_model",
    "vocoder",
    "vocoder_revision",
    "adapter",
    "adapter_revision",
)
"""The settings that decide which files are fetched."""


def load_options(value: Any, path: str) -> tuple[tuple[str, bool], ...]:
    """What changes how one kind of model is loaded, as pairs that can be compared."""
    return tuple(sorted(record(enable_optimizations=boolean)(value, path).items()))


OPERATION: Table = {
    "model": Done(text, required=True),
    "input": Done(as_object, required=True, note="what the engine that has declared the operation says."),
    "stream": Done(boolean),
}

SETTINGS = {
    "device": choice("auto", "cuda", "mps", "cpu"),
    "dtype": choice("auto", "fp16", "bf16", "fp32"),
    "quantization": choice("none", "int8", "int4"),
    "draft_model": text,
    "vocoder": text,
    "vocoder_revision": text,
    "adapter": text,
    "adapter_revision": text,
    "adapter_scale": number(-MAX_ADAPTER_SCALE, MAX_ADAPTER_SCALE),
    "trust_remote_code": boolean,
    "model_type": text,
    "revision": text,
    "engine": text,
    "isolated": boolean,
    "options": load_options,
}

LOAD: Table = {
    "id": Done(text, required=True),
    "settings": Done(record(**SETTINGS)),
    "keep_alive": Done(
        number(FOREVER, MAX_KEEP_ALIVE), note="seconds; 0: until its last request has ended, -1: for ever"
    ),
    "group": Done(text, note="models of one group are never in memory together"),
    "stream": Done(boolean),
}

PULL: Table = {
    "id": Done(text, required=True),
    "settings": Done(record(**{name: SETTINGS[name] for name in FETCHED_BY})),
    "stream": Done(boolean),
}

DESCRIBE: Table = {"id": Done(text, required=True), "settings": Done(record(**SETTINGS))}

UNLOAD: Table = {"model": Done(text, required=True)}
