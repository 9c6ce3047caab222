"""Works of text models: a prompt to continue, or to count; and texts to count, for encoders too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from llamafarm_universal.messages.blob import Blob

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself


@dataclass(frozen=True)
class ToolChoice:
    """Which tools may be called. required: the answer must be a call. names: of the only ones; empty: all of them.

    strict: the names of tools whose parameters must be kept to the letter; those of others as far as can be enforced.
    """

    required: bool = False
    names: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatPrompt:
    """Messages for the model's own chat template; tool calls hold their arguments as objects.

    The content of a message is a text, or a list of parts where it has pictures, sounds or films: `{"type": "text",
    "text": …}`, `{"type": "image"}`, `{"type": "audio"}` and `{"type": "video"}`, whose files are in `media` in that
    order, and lie in `folder`.
    """

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    template_options: Mapping[str, Any] = field(default_factory=dict)
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    media: tuple[Blob, ...] = ()
    folder: SpoolFolder | None = None


@dataclass(frozen=True)
class TextPrompt:
    """A text, or token ids, to continue as it stands."""

    text: str | tuple[int, ...]


@dataclass(frozen=True)
class Sampling:
    """How one request chooses its tokens. None: the model's own generation configuration, else the plain default.

    max_tokens: None is as many as the context holds. stop: texts that end the answer and are not part of it;
    stop_token_ids: tokens that do, beside the model's own, which ignore_eos takes for tokens like others. Nothing of
    all that ends the answer before min_tokens. seed: makes the sequence repeatable, whatever else runs. logprobs: how
    many alternatives to report for each token (0: the chosen one only), None for none.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    min_tokens: int | None = None
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True)
class Structure:
    """What an answer must be, reasoning aside: JSON of a schema, or a text of a regex, a list, a grammar or with tags.

    value: the schema; the regex, in the syntax of Rust's crate `regex`; the texts to choose from; a grammar of Lark or
    GBNF; of tags in free text an object of `triggers`, `tags` (each with `begin`, which begins with a trigger,
    `schema`, and `ends`, of which one follows), `at_least_one` and `stop_after_first`. strict: a schema that cannot be
    enforced in full is refused. field: where in the request it stands.
    """

    kind: Literal["json", "regex", "choice", "grammar", "tags"]
    value: Any
    strict: bool = True
    field: str = "response_format"


@dataclass(frozen=True)
class Generate:
    """Continue a prompt. n: how many sequences; the i-th uses seed + i where a seed is given.

    parallel_tool_calls: without them an answer ends with its first call. structure: what the answer must be, where it
    is no call. cache_salt: only requests of the same one share what the model remembers of their beginnings. An answer
    to a chat is told in channels.
    Each sequence is told in pieces, and ends with a Finished whose usage counts its own tokens.
    """

    operation: ClassVar[str] = "generate"

    prompt: ChatPrompt | TextPrompt
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1
    parallel_tool_calls: bool = True
    structure: Structure | None = None
    cache_salt: str = ""

    @property
    def answers(self) -> int:
        return self.n


@dataclass(frozen=True)
class Count:
    """Say how many tokens the prompt has, in the usage of the only Finished; the model does not run."""

    operation: ClassVar[str] = "count"
    answers: ClassVar[int] = 1

    prompt: ChatPrompt


@dataclass(frozen=True)
class CountTexts:
    """Say how many tokens texts have; the model does not run. Value: a tuple of int, one for each text.

    A text may be empty, and longer than the model reads. Left out is what the model puts around each: special tokens,
    and the author's prompt for queries or documents. What an engine prepares for it is the value itself: the host
    answers with it while models work.
    """

    operation: ClassVar[str] = "count_texts"
    answers: ClassVar[int] = 1

    texts: tuple[str, ...]
