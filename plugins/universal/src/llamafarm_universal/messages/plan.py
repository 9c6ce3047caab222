"""What is known of a model before its weights are read, and what its engine may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages.model import DeviceName, DtypeName, ModelRef

CONFIG_FILES = ("config.json", "model_index.json", "modules.json")
"""One of these makes a folder a model: of transformers, of diffusers, of sentence-transformers in its oldest layout."""

ADAPTER_FILE = "adapter_config.json"
"""Makes a folder an adapter of peft, where it has no weights but ADAPTER_WEIGHTS."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Limits:
    """How much an engine does at once, for each of its models, and what it may decode.

    max_sequences: how many sequences one model generates at once; the others wait. None is 32 on a processor, 256
    elsewhere. max_waiting: how many may wait.
    max_batched: how many requests a model gets at once whose inputs it does in batches.
    prefill_tokens: how much of a prompt is read in one step; None is 128 on a processor, 512 elsewhere.
    batch_tokens: how much is embedded in one step; None is 2,048 on a processor, 16,384 elsewhere. A step holds up all
    other streams and cancellations, so it should take well under a second.
    """

    max_sequences: int | None = None
    max_waiting: int = 1024
    max_batched: int = 256
    prefill_tokens: int | None = None
    batch_tokens: int | None = None
    media: MediaSettings = field(default_factory=MediaSettings)

    def at_once(self, operation: str, device: str) -> int:
        """How many answers of an operation a model is asked for at once that is on a device.

        Of sequences it is a quarter more than run: those are prepared by the time that others end.
        """
        running = self.sequences(device)
        return running + running // 4 if operation == "generate" else self.max_batched

    def sequences(self, device: str) -> int:
        """How many sequences one model generates at once on a device."""
        return self.max_sequences or (32 if device == "cpu" else 256)

    def prefill_step(self, device: str) -> int:
        """Tokens of a prompt to read in one step on a device."""
        return self.prefill_tokens or (128 if device == "cpu" else 512)

    def batch_step(self, device: str) -> int:
        """Tokens to embed in one step on a device, padding included."""
        return self.batch_tokens or (2048 if device == "cpu" else 16_384)


@dataclass(frozen=True)
class Fit:
    """What an engine says of a model that it can execute.

    task: what the model does, such as `text`. weight_bytes: of the loaded weights. working_bytes: what the engine needs
    beside them, for caches and activations; wished_bytes: what it could use instead, where memory is free.
    """

    task: str
    weight_bytes: int
    working_bytes: int = 0
    wished_bytes: int = 0


@dataclass(frozen=True)
class Abilities:
    """What a model can be asked, as far as its files tell before it is loaded.

    operations, features, context_length: as of LoadedModel. later: the names of those operations and features of which
    only the loaded model can tell.
    """

    operations: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    context_length: int | None = None
    later: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Candidate:
    """A model that an engine is asked about. task: what its own files, or the user, say that it does; None: unknown.

    config: its config.json (model_index.json of a pipeline). parameters: numbers in its weights. adapter: the folder of
    an adapter of peft that changes it; all else is the base model's then, but for the numbers in its weights.
    device_bytes: the device's memory, where that is known.
    """

    ref: ModelRef
    folder: Path
    config: Mapping[str, Any]
    task: str | None
    device: DeviceName
    dtype: DtypeName
    parameters: int
    adapter: Path | None = None
    device_bytes: int | None = None


@dataclass(frozen=True)
class LoadPlan(Candidate):
    """A candidate that an engine takes.

    engine: its name. weight_bytes, working_bytes: what it needs of memory; wished_bytes: as of Fit. host: a name for
    the process that it goes to, where that is not the common one of its device. base: the id of the model that an
    adapter changes, whose files are read too. draft: of the model that guesses what this one will say; the bytes here
    count it. vocoder: the model that makes sound of this one's spectra, vocoder_folder: where it lies; they are None
    where that is in the model's own folder. The bytes count it, too.
    """

    task: str
    engine: str = "torch"
    weight_bytes: int = 0
    working_bytes: int = 0
    wished_bytes: int = 0
    host: str = ""
    limits: Limits = field(default_factory=Limits)
    base: str | None = None
    draft: LoadPlan | None = None
    vocoder: ModelRef | None = None
    vocoder_folder: Path | None = None

    @classmethod
    def of(cls, candidate: Candidate, engine: str, fit: Fit, limits: Limits, *, isolated: bool = False) -> LoadPlan:
        """The plan to load a candidate as an engine says that it fits.

        isolated: models of this engine have a host together, apart from all others; of a setting with that name the
        model has one for itself.
        """
        known = {item.name: getattr(candidate, item.name) for item in fields(candidate)}
        known["task"] = fit.task
        known |= {"weight_bytes": fit.weight_bytes, "working_bytes": fit.working_bytes}
        known["wished_bytes"] = fit.wished_bytes
        host = f"{engine} {fit.task}" if isolated else ""
        if candidate.ref.settings.isolated:
            host = str(candidate.ref)
        return cls(**known, engine=engine, limits=limits, host=host)

    def adapted(self, ref: ModelRef, adapter: Path, parameters: int, weight_bytes: int) -> LoadPlan:
        """The plan to put an adapter on this model once it is loaded: it takes the adapter's memory alone.

        adapter: the file of its weights. parameters, weight_bytes: of these.
        """
        return replace(
            self,
            ref=ref,
            adapter=adapter,
            parameters=parameters,
            weight_bytes=weight_bytes,
            working_bytes=0,
            wished_bytes=0,
            draft=None,
        )

    def drafted_by(self, draft: LoadPlan) -> LoadPlan:
        """The plan to load a model together with one that guesses what it will say."""
        return replace(
            self,
            draft=draft,
            weight_bytes=self.weight_bytes + draft.weight_bytes,
            working_bytes=self.working_bytes + draft.working_bytes,
            wished_bytes=self.wished_bytes + draft.wished_bytes,
        )

    def voiced_by(self, vocoder: ModelRef, folder: Path, weight_bytes: int) -> LoadPlan:
        """The plan to load a model together with one that makes sound of its spectra."""
        return replace(self, vocoder=vocoder, vocoder_folder=folder, weight_bytes=self.weight_bytes + weight_bytes)

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of all models whose files are read."""
        draft = None if self.draft is None else self.draft.ref.id
        vocoder = None if self.vocoder is None else self.vocoder.id
        models = (self.ref.id, self.base, draft, vocoder, self.ref.settings.adapter)
        return tuple(model for model in models if model is not None)

    @property
    def named(self) -> str:
        """The model as errors about its memory name it."""
        if self.ref.is_adapted:
            return f"`{self.ref.id}` with the adapter `{self.ref.settings.adapter}`"
        return f"`{self.ref.id}`" + (f" with its draft model `{self.draft.ref.id}`" if self.draft else "")

    @property
    def memory_bytes(self) -> int:
        """What it takes: its weights, and what its engine uses beside them."""
        return self.weight_bytes + self.working_bytes
