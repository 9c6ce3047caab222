"""What llamafarm.yaml says of the handler: `handlers: {guard: …}`, or `handler_options` of an entry."""

from __future__ import annotations

from typing import Annotated, Literal

import regex
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from llamafarm_agents.guard.expressions import ADDRESSES, KEYS


def _expression(pattern: str) -> str:
    """A pattern that finds something. Raises ValueError for one that is none, or that finds nothing everywhere."""
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    if compiled.search(""):
        raise ValueError("this pattern fits an empty text: it would be found everywhere")
    return pattern


class _Check(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LengthCheck(_Check):
    """How long a text may be."""

    check: Literal["length"]
    most: int = Field(ge=1, description="Characters.")
    action: Literal["refuse", "flag"] = "refuse"


class _TextCheck(_Check):
    action: Literal["refuse", "redact", "flag"] = "redact"
    replacement: str = Field(default="[…]", description="What stands in the place of what is redacted.")


class PatternCheck(_TextCheck):
    """Whatever regular expressions find."""

    check: Literal["patterns"]
    patterns: list[Annotated[str, AfterValidator(_expression)]] = Field(min_length=1)

    @property
    def expressions(self) -> list[str]:
        return self.patterns


class SecretCheck(_TextCheck):
    """Keys of well-known services, private keys and signed tokens."""

    check: Literal["secrets"]
    replacement: str = "[secret]"

    @property
    def expressions(self) -> list[str]:
        return [KEYS]


class EmailCheck(_TextCheck):
    """Addresses of e-mail."""

    check: Literal["emails"]
    replacement: str = "[e-mail]"

    @property
    def expressions(self) -> list[str]:
        return [ADDRESSES]


class JudgeCheck(_Check):
    """A model of the project that sorts texts into classes. labels: those that are not wanted."""

    check: Literal["judge"]
    model: str = Field(min_length=1, description="The name of a model entry that classifies.")
    labels: list[str] = Field(min_length=1)
    threshold: float = Field(default=0.5, gt=0, le=1)
    action: Literal["refuse", "flag"] = "refuse"


TextCheck = PatternCheck | SecretCheck | EmailCheck
Check = Annotated[LengthCheck | PatternCheck | SecretCheck | EmailCheck | JudgeCheck, Field(discriminator="check")]


class GuardOptions(BaseModel):
    """The checks, in the order in which they are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: list[Check] = Field(default_factory=list, description="Of what users write, before the model is asked.")
    after: list[Check] = Field(default_factory=list, description="Of what the model says.")
    refusal: str = Field(default="I cannot answer that.", min_length=1, description="What is said instead.")
