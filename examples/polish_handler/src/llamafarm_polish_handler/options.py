"""What llamafarm.yaml says of the handler (`handlers: {polish: …}`), and what a request does (`polish: …`)."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PolishOptions(BaseModel):
    """The defaults of a project, and what it allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: str = Field(default="clear and concise", min_length=1, description="The style that answers are brought to.")
    rounds: int = Field(default=1, ge=1, description="How many times an answer is improved.")
    max_rounds: int = Field(default=3, ge=1, description="How many rounds a request may ask for; each costs an answer.")

    @model_validator(mode="after")
    def _rounds_are_allowed(self) -> Self:
        if self.rounds > self.max_rounds:
            raise ValueError(f"`rounds` is {self.rounds}, more than `max_rounds`, which is {self.max_rounds}")
        return self


class Polish(BaseModel):
    """One request's own wish; what it leaves out is the project's default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: str | None = Field(default=None, min_length=1)
    rounds: int | None = Field(default=None, ge=1)
