"""Which files of a hub model are meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.catalogue import wanted_by
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.store.cache import cache_folder

_CODE = ("*.py",)


@dataclass(frozen=True)
class Copy:
    """One copy of a model: the files of a revision that an engine wants, with its Python files only with `code`."""

    model: str
    revision: str | None = None
    engine: str | None = None
    code: bool = False

    @classmethod
    def of(cls, ref: ModelRef) -> Copy:
        """The copy that a model is loaded from."""
        settings = ref.settings
        return cls(ref.id, settings.revision, settings.engine, settings.trust_remote_code)

    def arguments(self, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """What the hub library's `snapshot_download` takes beside the model. Raises RequestFailed."""
        patterns = wanted_by(self.engine)
        return {
            "revision": self.revision,
            "cache_dir": cache_folder(environ),
            "allow_patterns": [*patterns.take, *(_CODE if self.code else ())],
            "ignore_patterns": list(patterns.leave),
        }
