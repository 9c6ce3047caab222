"""What llamafarm.yaml says of the handler: `handlers: {recall: …}`, or `handler_options` of a model entry."""

from __future__ import annotations

from typing import Annotated

import llamafarm
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class RecallOptions(BaseModel):
    """Where the notes are, which model compares them with a question, and how near they must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notes: Annotated[str, AfterValidator(llamafarm.beside_config)] = Field(
        min_length=1, description="A text file with one note on each line; it lies beside llamafarm.yaml."
    )
    embedder: str = Field(min_length=1, description="The name of the model entry that makes the vectors.")
    top: int = Field(default=3, ge=1, description="How many notes a question is given at most.")
    threshold: float = Field(
        default=0.3, ge=-1, le=1, description="How near a note must be: the cosine of the angle between the vectors."
    )
