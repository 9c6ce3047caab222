"""`data_processing_strategies`: how files become chunks."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llamafarm_rag.config.names import Name
from llamafarm_rag.config.old_names import renamed

Kind = Literal["text", "markdown", "html", "pdf", "docx", "csv", "json", "code"]
_OLD_KIND = re.compile(r"([A-Za-z]+)Parser(?:_\w+)?")
"""What older files of the product call a parser: `MarkdownParser_Python`."""
MIN_CHUNK_SIZE = 16
"""Tokens: a chunk of less says nothing, and its headings have no room."""


class ParserOptions(BaseModel):
    """A reader for files of one kind, and which files it reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Kind
    file_extensions: list[str] = Field(default_factory=list, description="Such as `.md`; by default the kind's own.")
    file_include_patterns: list[str] = Field(
        default_factory=list, description="Such as `report-*.txt` or `drafts/*.md`."
    )
    priority: int = Field(default=50, description="Of several that read a file, the one with the highest reads it.")
    chunk_size: int | None = Field(
        default=None, ge=MIN_CHUNK_SIZE, description="Of these files, in tokens of the embedder."
    )
    chunk_overlap: int | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, options: Any) -> Any:
        return renamed(
            options,
            {},
            {
                "config": "write `chunk_size` and `chunk_overlap` beside `type`; they count tokens, not characters.",
                "mime_types": "files are told by their names; write `file_extensions`.",
            },
        )

    @field_validator("type", mode="before")
    @classmethod
    def _kind(cls, kind: Any) -> Any:
        old = _OLD_KIND.fullmatch(kind) if isinstance(kind, str) else None
        return old[1].lower() if old and old[1].lower() in get_args(Kind) else kind


class ProcessingStrategy(BaseModel):
    """How the files of a dataset are read and cut."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str = ""
    chunk_size: int | None = Field(
        default=None,
        ge=MIN_CHUNK_SIZE,
        description="The longest chunk, in tokens of the embedder; by default 160, or what it reads.",
    )
    chunk_overlap: int | None = Field(
        default=None,
        ge=0,
        description="How many tokens of a chunk begin the next one; by default an eighth of its size.",
    )
    parsers: list[ParserOptions] = Field(default_factory=list, description="By default one for each kind of file.")
    max_file_bytes: int = Field(default=50 * 1024 * 1024, ge=1, description="Larger files are not read, and reported.")

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, options: Any) -> Any:
        instead = "what files say of themselves is always kept as metadata; leave it out."
        return renamed(options, {}, {"extractors": instead})
