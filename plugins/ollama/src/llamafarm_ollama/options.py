"""Ollama's `options`: how a model is loaded, and how it draws its tokens.

Ollama ignores an option that it does not know, and answers 500 to one of the wrong type; here both are errors that name
the option.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """The options; what is not given is the model's own, or Ollama's.

    Source: Ollama's API, `options` (0.33). Changing one of LOAD_TIME has the model loaded again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    num_ctx: int | None = Field(
        default=None, ge=1, description="Context length in tokens; more than the model can take is cut to that."
    )
    num_batch: int | None = Field(default=None, ge=1, description="Tokens of a prompt that are read at once.")
    num_gpu: int | None = Field(default=None, ge=-1, description="Layers on the GPU; -1 is as many as fit.")
    main_gpu: int | None = Field(default=None, ge=0)
    use_mmap: bool | None = None
    num_thread: int | None = Field(default=None, ge=0)
    draft_num_predict: int | None = Field(default=None, ge=0)

    num_keep: int | None = Field(default=None, ge=-1)
    num_predict: int | None = Field(default=None, ge=-2, description="Tokens of the answer at most; -1 is no limit.")
    seed: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: list[str] | None = None

    def given(self) -> dict[str, Any]:
        """Those that are set."""
        return self.model_dump(exclude_none=True)


NAMES = frozenset(Options.model_fields)
LOAD_TIME = frozenset({"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict"})


def only(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of `options` that are in `names`."""
    return {name: value for name, value in options.items() if name in set(names)}
