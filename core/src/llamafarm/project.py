"""A project: one llamafarm.yaml, read, checked and normalised by `llamafarm.config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.wire.chat import Message

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llamafarm.providers.entry import ModelEntry


@dataclass(frozen=True)
class PromptSet:
    """Messages that are put before a conversation."""

    name: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class BrokenEntry:
    """A model entry that cannot be used, and why; the other entries of the project work."""

    name: str
    provider: str
    model: str
    error: LlamaFarmError


@dataclass(frozen=True)
class Project:
    """name and namespace address it as `{namespace}/{name}`. path: its file. models: in the order of the file.

    sections: what plugins added at the top level, by key, validated. raw: the file in the one form, with
    the defaults of variables filled in but not their values, for `lf config show` (masked there). secrets: the values
    that must never be shown.
    """

    name: str
    namespace: str
    path: Path | None
    models: tuple[ModelEntry | BrokenEntry, ...]
    default_model: str | None = None
    prompts: tuple[PromptSet, ...] = ()
    handler: tuple[str, ...] = ()
    handler_options: Mapping[str, BaseModel] = field(default_factory=dict)
    sections: Mapping[str, BaseModel] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def default(self) -> str | None:
        """The name of the entry that a request without `model` gets; None where there are no entries."""
        if self.default_model is not None:
            return self.default_model
        marked = [entry.name for entry in self.models if getattr(entry, "default", False)]
        names = marked or [entry.name for entry in self.models]
        return names[0] if names else None

    def entry(self, name: str | None = None) -> ModelEntry:
        """The model entry of that name, or the default one.

        Raises UsageError for an unknown name (with the nearest ones), and a broken entry's own error.
        """
        wanted = name or self.default
        for entry in self.models:
            if entry.name == wanted:
                if isinstance(entry, BrokenEntry):
                    raise entry.error
                return entry
        raise self._unknown(wanted)

    def _unknown(self, name: str | None) -> UsageError:
        import difflib

        names = [entry.name for entry in self.models]
        if name is None or not names:
            return UsageError(
                f"The project {self.namespace}/{self.name} has no models.",
                hint="Add one under `runtime.models` in llamafarm.yaml; `lf init` writes an example.",
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
