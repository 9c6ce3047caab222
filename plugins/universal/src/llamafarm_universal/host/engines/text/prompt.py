"""From a request's prompt to token ids: the model's chat template, rendered in the tokenizer's sandbox."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.host.engines.text.multimodal.medium import MediaPrompt
from llamafarm_universal.host.engines.text.multimodal.prompts import TEMPLATE_FLAGS, MediaPrompts
from llamafarm_universal.host.engines.token_counts import TokenCounts
from llamafarm_universal.message_parts import not_taken
from llamafarm_universal.messages import ChatPrompt, TextPrompt


class Prompts:
    """Those of one model. vocabulary: how many tokens it knows. media: of one that takes pictures or sounds.

    counts: how many tokens texts have to it, without a prompt around them.
    """

    def __init__(self, tokenizer: Any, model: str, vocabulary: int, media: MediaPrompts | None) -> None:
        self.counts = TokenCounts(tokenizer)
        self._tokenizer = tokenizer
        self._model = model
        self._vocabulary = vocabulary
        self._media = media

    def encode(self, prompt: ChatPrompt | TextPrompt) -> MediaPrompt:
        """A prompt of at least one token. Raises RequestFailed."""
        encoded = self._encoded(prompt)
        if not encoded.tokens:
            raise refused("The prompt is empty.", field_of(prompt))
        if bad := [token for token in encoded.tokens if not 0 <= token < self._vocabulary]:
            raise refused(f"Token {bad[0]} does not exist: this model's are 0 to {self._vocabulary - 1}.", "prompt")
        return encoded

    def _encoded(self, prompt: ChatPrompt | TextPrompt) -> MediaPrompt:
        if isinstance(prompt, TextPrompt):
            return MediaPrompt(_encode_text(prompt, self._tokenizer), ())
        if self._media is None:
            return MediaPrompt(_encode_chat(prompt, self._tokenizer, self._model), ())
        check_template_options(prompt.template_options, self._tokenizer)
        messages = _messages(prompt, self._tokenizer)
        with _template_of(self._model):
            return self._media.prompt(prompt, messages, prompt.template_options)


def field_of(prompt: ChatPrompt | TextPrompt) -> str:
    """The field of a request that a prompt came in."""
    return "prompt" if isinstance(prompt, TextPrompt) else "messages"


def check_template_options(options: Mapping[str, Any], tokenizer: Any) -> None:
    """Refuse options that are not the template's: the renderer's own would replace the template or skip tokenizing."""
    own = set(inspect.signature(tokenizer.apply_chat_template).parameters) - TEMPLATE_FLAGS
    if taken := sorted(own & set(options)):
        raise refused(f"`{taken[0]}` is not an option of the chat template.", "chat_template_kwargs")
    for flag in TEMPLATE_FLAGS & set(options):
        if not isinstance(options[flag], bool):
            raise refused(f"`{flag}` must be true or false.", "chat_template_kwargs")


def _encode_text(prompt: TextPrompt, tokenizer: Any) -> list[int]:
    if not isinstance(prompt.text, str):
        return list(prompt.text)
    ids: list[int] = tokenizer(prompt.text, truncation=False, verbose=False)["input_ids"]
    return ids


def _encode_chat(prompt: ChatPrompt, tokenizer: Any, model: str) -> list[int]:
    if not tokenizer.chat_template:
        raise RequestFailed(
            "invalid_request",
            f"`{model}` has no chat template: it continues texts and does not hold conversations.",
            hint="Use /v1/completions for it, or a model that is trained for chat (often named -Instruct or -Chat).",
            param="messages",
        )
    check_template_options(prompt.template_options, tokenizer)
    if prompt.media:
        raise not_taken()
    options = {"add_generation_prompt": True, **prompt.template_options}
    messages = _messages(prompt, tokenizer)
    tools = [dict(tool) for tool in prompt.tools] or None
    if "sanitize_control_tokens" in inspect.signature(tokenizer.apply_chat_template).parameters:
        # "<|im_end|>" in a message stays text: only the template itself ends a turn.
        options["sanitize_control_tokens"] = True
    with _template_of(model):
        ids: list[int] = tokenizer.apply_chat_template(messages, tools=tools, return_dict=True, **options)["input_ids"]
    return ids


@contextmanager
def _template_of(model: str) -> Iterator[None]:
    """Whatever a template raises is the request's fault."""
    try:
        yield
    except RequestFailed:
        raise
    except Exception as error:
        raise refused(
            f"The chat template of `{model}` refuses these messages: {error}",
            "messages",
            hint="The template comes with the model; many want user and assistant to take turns, beginning with user.",
        ) from error


def _messages(prompt: ChatPrompt, tokenizer: Any) -> list[dict[str, Any]]:
    """The messages as the template gets them."""
    messages = [dict(message) for message in prompt.messages]
    if prompt.tool_choice.required and "tools" not in str(tokenizer.chat_template):
        return _with_tools(messages, prompt)
    return messages


def _with_tools(messages: list[dict[str, Any]], prompt: ChatPrompt) -> list[dict[str, Any]]:
    """The messages, with the tools told in the last one of the user: the template tells of none."""
    names = prompt.tool_choice.names
    functions = [tool["function"] for tool in prompt.tools if not names or tool["function"]["name"] in names]
    told = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    last = next((message for message in reversed(messages) if message["role"] == "user"), None)
    asking = f'Answer with JSON that calls a function, {{"name": …, "arguments": {{…}}}}. The functions are:\n{told}'
    if last is None:
        return [*messages, {"role": "user", "content": asking}]
    return [
        {**message, "content": _followed_by(asking, message["content"])} if message is last else message
        for message in messages
    ]


def _followed_by(text: str, content: Any) -> Any:
    """The content of a message, with a text behind it."""
    if isinstance(content, str):
        return f"{content}\n\n{text}"
    return [*content, {"type": "text", "text": f"\n\n{text}"}]
