"""The text that a model has before it: a prompt, and what has been generated behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamafarm_universal.host.engines.text.kv_cache import BlockTable
from llamafarm_universal.host.engines.text.multimodal.medium import MediaPrompt

if TYPE_CHECKING:
    from llamafarm_universal.host.models.lora import Adapter


@dataclass(eq=False)
class Context:
    """tokens: all of them. stored: of how many the model has keys and values, or whatever it remembers. source: what an
    encoder reads beside them, of a model that has one.

    table: the blocks where they are. state: what a model without blocks remembers. salt: only texts of the same one
    share blocks. shared: how many tokens were there already when it was first read; None before that. media: the
    prompt, where it has pictures or sounds. adapter: what the model is changed by while it reads the text.
    """

    tokens: list[int]
    salt: str = ""
    source: tuple[int, ...] = ()
    stored: int = 0
    shared: int | None = None
    table: BlockTable | None = None
    state: Any = None
    media: MediaPrompt | None = None
    adapter: Adapter | None = None

    @property
    def names(self) -> Sequence[int]:
        """What tells its tokens from those of other texts: the tokens, and what stands in the places of media."""
        return self.tokens if self.media is None else self.media.named(self.tokens)

    @property
    def size(self) -> int:
        """Of how many tokens the model has to remember something."""
        return len(self.source) + len(self.tokens)

    @property
    def unread(self) -> int:
        """How many tokens have to be read before the next one can be chosen."""
        return len(self.tokens) - self.stored


@dataclass(frozen=True)
class Reading:
    """The next tokens of a text that are read in a step. count: how many. guess: tokens that may follow the text, and
    are read behind its last one.
    """

    context: Context
    count: int
    guess: tuple[int, ...] = ()

    @property
    def tokens(self) -> list[int]:
        return [*self.context.tokens[self.context.stored : self.context.stored + self.count], *self.guess]

    @property
    def completes(self) -> bool:
        """Whether no token is left behind these."""
        return self.count == self.context.unread
