"""What llamafarm.yaml says of the handler: `handlers: {structured: …}`, or `handler_options` of an entry."""

from __future__ import annotations

from typing import Annotated

import llamafarm
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from llamafarm_agents.structured.schema_file import CLASS_MARK, check_schema_file, split


def _schema_file(reference: str, info: ValidationInfo) -> str:
    """The whole reference; of one in llamafarm.yaml, it is looked at."""
    path, class_name = split(reference)
    whole = llamafarm.beside_config(path, info) + (f"{CLASS_MARK}{class_name}" if class_name else "")
    if info.context:
        check_schema_file(whole, allow_code=info.data.get("allow_code", False))
    return whole


class StructuredOptions(BaseModel):
    """How answers are held to a schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    allow_code: bool = Field(default=False, description="Whether `schema` may name a class, whose module is executed.")
    schema_file: Annotated[str, AfterValidator(_schema_file)] | None = Field(
        default=None,
        alias="schema",
        min_length=1,
        description="The schema of answers to requests that bring none: a file with a JSON Schema, or "
        "`module.py::Class`, a model of pydantic.",
    )
    max_retries: int = Field(
        default=2, ge=0, le=10, description="How often an answer that does not fit is asked for again."
    )
