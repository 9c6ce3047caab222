"""Adapters of diffusers on the parts of a loaded pipeline: LoRA, one at a time for all that is computed in a step."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from llamafarm_universal.engine import LoadPlan, RequestFailed
from llamafarm_universal.failure import without_paths

log = logging.getLogger(__name__)
_NUMBERS = count(1)
_LIBRARIES = ("diffusers", "transformers", "peft")
_LEFT_OUT = ("unexpected keys", "missing keys", "inconsistency")
"""What the libraries say, and go on, where a part of an adapter fits nothing."""
_OTHER_BASE = "Was it trained for another base model? Those of Stable Diffusion 1, 2, XL and 3 fit no other."


@dataclass(frozen=True, eq=False)
class DrawingAdapter:
    """name: how peft calls it. layers: those that it changes. memory_bytes: of all that it holds."""

    name: str
    layers: tuple[Any, ...]
    memory_bytes: int


class DrawingAdapters:
    """Those of one pipeline. All of it is called by the thread that draws."""

    def __init__(self, pipeline: Any, parts: list[Any]) -> None:
        self._pipeline = pipeline
        self._parts = parts
        self._applied: DrawingAdapter | None = None

    def load(self, plan: LoadPlan) -> DrawingAdapter:
        """Read an adapter onto the parts; it changes nothing before it is applied. Raises RequestFailed."""
        assert plan.adapter is not None, "a plan without an adapter"
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise _cannot(
                plan, f"has no place in a {type(self._pipeline).__name__}: diffusers has no LoRA for it", None
            )
        name = f"adapter_{next(_NUMBERS)}"
        try:
            with _complaints() as complaints:
                self._pipeline.load_lora_weights(
                    str(plan.adapter.parent), weight_name=plan.adapter.name, adapter_name=name, local_files_only=True
                )
            self._check(plan, name, complaints)
        except Exception as error:
            self._forget(name)
            raise error if isinstance(error, RequestFailed) else _misfit(plan, error) from error
        adapter = self._loaded(name, plan.ref.settings.adapter_scale)
        self._switch()
        return adapter

    def apply(self, adapter: DrawingAdapter | None) -> None:
        """Have the parts compute with this one from now on, or as without any."""
        if adapter is not self._applied:
            self._applied = adapter
            self._switch()

    def drop(self, adapter: DrawingAdapter) -> None:
        """Forget an adapter."""
        self.apply(None)
        self._forget(adapter.name)

    def _check(self, plan: LoadPlan, name: str, complaints: list[str]) -> None:
        """The libraries load what fits, and tell of the rest in the log alone."""
        if complaints:
            raise _cannot(plan, f"does not fit `{plan.ref.id}` wholly: {_short(complaints[0])}", _OTHER_BASE)
        if not list(self._layers(name)):
            raise _cannot(plan, f"changes nothing of `{plan.ref.id}`", _OTHER_BASE)

    def _loaded(self, name: str, scale: float) -> DrawingAdapter:
        layers = tuple(self._layers(name))
        for layer in layers:
            layer.set_scale(name, scale)
        tensors = [
            tensor
            for layer in layers
            for part, tensor in layer.named_parameters()
            if f".{name}" in part  # `lora_A.NAME.weight`
        ]
        return DrawingAdapter(name, layers, sum(tensor.nbytes for tensor in tensors))

    def _switch(self) -> None:
        """Bring all layers to what is applied: some belong to several adapters, and some to others alone."""
        applied = self._applied
        own = set(applied.layers) if applied is not None else set()
        for layer in self._layers():
            layer.enable_adapters(layer in own)
            if applied is not None and layer in own:
                layer.set_adapter(applied.name)
            layer.requires_grad_(False)

    def _forget(self, name: str) -> None:
        for layer in self._layers(name):
            layer.delete_adapter(name)
        for part in self._parts:
            getattr(part, "peft_config", {}).pop(name, None)
        self._switch()

    def _layers(self, name: str | None = None) -> Iterator[Any]:
        """The layers that have adapters, or that one."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        for part in self._parts:
            for layer in part.modules():
                if isinstance(layer, BaseTunerLayer) and (name is None or _has(layer, name)):
                    yield layer


def check_file(plan: LoadPlan, path: Path) -> None:
    """Read an adapter's file once, so that what is damaged is told at once. Raises RequestFailed."""
    from safetensors.torch import load_file

    try:
        load_file(path)
    except Exception as error:
        raise RequestFailed(
            "load_failed",
            f"The adapter `{plan.ref.settings.adapter}` cannot be read: {type(error).__name__}: "
            f"{without_paths(str(error))}",
            param="adapter",
        ) from error


def _has(layer: Any, name: str) -> bool:
    return any(name in getattr(layer, kind, {}) for kind in layer.adapter_layer_names)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What libraries say within about parts of an adapter that they leave out."""
    told: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _note(record.getMessage())

    def _note(text: str) -> None:
        if any(mark in text for mark in _LEFT_OUT):
            told.append(text)

    listening = Listening()
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    for logger in loggers:
        logger.addHandler(listening)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield told
        for warning in caught:
            _note(str(warning.message))
    finally:
        for logger in loggers:
            logger.removeHandler(listening)


def _misfit(plan: LoadPlan, error: Exception) -> RequestFailed:
    log.info("The adapter `%s` could not be loaded", plan.ref.settings.adapter, exc_info=error)
    why = f"does not fit `{plan.ref.id}`: {type(error).__name__}: {_short(without_paths(str(error)))}"
    return _cannot(plan, why, _OTHER_BASE)


def _short(text: str, most: int = 300) -> str:
    """A message of a library in one line, which may name hundreds of layers."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= most else f"{line[:most]} …"


def _cannot(plan: LoadPlan, why: str, hint: str | None) -> RequestFailed:
    message = f"The adapter `{plan.ref.settings.adapter}` {why}."
    return RequestFailed("not_supported", message, hint=hint, param="adapter")
