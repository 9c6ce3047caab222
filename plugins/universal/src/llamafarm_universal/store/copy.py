"""Which files of a hub model are meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from llamafarm_universal.catalogue import wanted_by
from llamafarm_universal.gguf import is_gguf
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import ADAPTER_FILE
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.store.cache import cache_folder

_CODE = ("*.py",)


@dataclass(frozen=True)
class Copy:
    """One copy of a model: the files of a revision that an engine wants, with its Python files only with `code`.

    model: the repository. file: the only file that is wanted, with what is said of it.
    """

    model: str
    revision: str | None = None
    engine: str | None = None
    code: bool = False
    file: str | None = None

    @classmethod
    def of(cls, ref: ModelRef) -> Copy:
        """The copy that a model is loaded from."""
        settings = ref.settings
        source = parse_model_id(ref.id)
        if isinstance(source, HubId) and source.file:
            return cls(source.id, settings.revision, settings.engine, file=source.file)
        return cls(ref.id, settings.revision, settings.engine, settings.trust_remote_code)

    def arguments(self, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """What the hub library's `snapshot_download` takes beside the model. Raises RequestFailed."""
        common = {"revision": self.revision, "cache_dir": cache_folder(environ)}
        if self.file:
            return {**common, "allow_patterns": _with_configuration(self.file), "ignore_patterns": []}
        patterns = wanted_by(self.engine)
        take = [*patterns.take, *(_CODE if self.code else ())]
        return {**common, "allow_patterns": take, "ignore_patterns": list(patterns.leave)}


def _with_configuration(file: str) -> list[str]:
    """A file, and what is said of it where it holds the weights of an adapter of peft."""
    if is_gguf(file):
        return [file]
    return [file, PurePosixPath(file).with_name(ADAPTER_FILE).as_posix()]
