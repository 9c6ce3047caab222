"""A project: one llamafarm.yaml, read, checked and normalised by `llamafarm.config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.wire.chat import Message

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llamafarm.providers.entry import ModelEntry
    from llamafarm.wire.operations import Operation

FILE_NAMES = ("llamafarm.yaml", "llamafarm.yml", "llamafarm.json")
"""What a configuration is called where nobody names its file."""


@dataclass(frozen=True)
class BrokenEntry:
    """A model entry that cannot be used, and why; the other entries of the project work."""

    name: str
    provider: str
    model: str
    error: LlamaFarmError


@dataclass(frozen=True, eq=False)
class Project:
    """What a llamafarm.yaml says; one that has been read again is another one.

    name and namespace address it as `{namespace}/{name}`. path: its file. models: in the order of the file.

    prompts: the messages of each prompt set, by its name, as they are written. variables: values of what they name,
    where neither a request nor the entry gives one. warnings: what the file says and nobody does, each with its
    place. sections: what plugins added at the top level, by key, validated. raw: the file in the one form, with the
    defaults of variables filled in but not their values, for `lf config show` (masked there). secrets: the values that
    must never be shown.
    """

    name: str
    namespace: str
    path: Path | None
    models: tuple[ModelEntry | BrokenEntry, ...]
    default_model: str | None = None
    prompts: Mapping[str, Sequence[Message]] = field(default_factory=dict)
    variables: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    handler: tuple[str, ...] = ()
    handler_options: Mapping[str, BaseModel] = field(default_factory=dict)
    sections: Mapping[str, BaseModel] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def key(self) -> str:
        """`namespace/name`: what the project is called, which two folders may claim alike."""
        return f"{self.namespace}/{self.name}"

    @cached_property
    def identity(self) -> str:
        """What tells the project from every other: the folder of its file, or the file where it has no usual name."""
        if self.path is None:
            return self.key
        folder = self.path.parent.resolve()
        return str(folder if self.path.name in FILE_NAMES else folder / self.path.name)

    def options_of(self, entry: ModelEntry, handler: str) -> BaseModel | None:
        """The validated options of an agent handler for one entry: the entry's own over the project's.

        None where neither gives any.
        """
        own = entry.validated_options.get(handler)
        return self.handler_options.get(handler) if own is None else own

    @property
    def default(self) -> str | None:
        """The name of the entry that a request without `model` gets; None where there are no entries."""
        if self.default_model is not None:
            return self.default_model
        marked = [entry.name for entry in self.models if getattr(entry, "default", False)]
        names = marked or [entry.name for entry in self.models]
        return names[0] if names else None

    def entry(self, name: str | None = None) -> ModelEntry:
        """The model entry of that name, or the default one. Raises UsageError, and a broken entry's own error."""
        entry = self.named(name or self.default)
        if isinstance(entry, BrokenEntry):
            raise copy(entry.error)  # each raising has its own traceback and trace
        return entry

    def named(self, name: str | None) -> ModelEntry | BrokenEntry:
        """The entry of that name, broken or not. Raises UsageError for an unknown one, with the nearest ones."""
        for entry in self.models:
            if entry.name == name:
                return entry
        raise self.unknown(name)

    def objection(self, model: str, operation: Operation) -> str | None:
        """Why a model of that name cannot do an operation, as far as the file says it; None where it may.

        For whoever needs another model beside the one that is asked: see `AgentHandlerSpec.check`.
        """
        if model not in (entry.name for entry in self.models):
            return " ".join(str(self.unknown(model)).splitlines())
        entry = self.named(model)
        if isinstance(entry, BrokenEntry) or entry.serves(operation) is not False:
            return None
        return f"the model {model!r} ({entry.model}) cannot do {operation.name}"

    def unknown(self, name: str | None) -> UsageError:
        """The error for a name that no entry has, with the nearest ones."""
        import difflib

        names = [entry.name for entry in self.models]
        if name is None or not names:
            return UsageError(
                f"The project {self.namespace}/{self.name} has no models.",
                hint=f"Add one under `runtime.models` in {self.path or 'llamafarm.yaml'}.",
            )
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        return UsageError(
            f"There is no model {name!r} in {self.namespace}/{self.name}.",
            hint=f"{hint}Models: {', '.join(names)}.",
            code="model_not_found",
            param="model",
        )


NO_PROJECT = Project("none", "none", None, ())
"""What stands in for a project where there is no llamafarm.yaml."""
