"""From a request's prompt to token ids: the model's chat template, rendered in the tokenizer's sandbox."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import ChatPrompt, TextPrompt

_TEMPLATE_FLAGS = frozenset({"add_generation_prompt", "continue_final_message"})


def encode(prompt: ChatPrompt | TextPrompt, tokenizer: Any, model: str, vocabulary: int) -> list[int]:
    """The token ids of a prompt, at least one. Raises RequestFailed."""
    ids = _encode_chat(prompt, tokenizer, model) if isinstance(prompt, ChatPrompt) else _encode_text(prompt, tokenizer)
    if not ids:
        raise refused("The prompt is empty.", field_of(prompt))
    if bad := [token for token in ids if not 0 <= token < vocabulary]:
        raise refused(f"Token {bad[0]} does not exist: this model's are 0 to {vocabulary - 1}.", "prompt")
    return ids


def field_of(prompt: ChatPrompt | TextPrompt) -> str:
    """The field of a request that a prompt came in."""
    return "prompt" if isinstance(prompt, TextPrompt) else "messages"


def check_template_options(options: Mapping[str, Any], tokenizer: Any) -> None:
    """Refuse options that are not the template's: the renderer's own would replace the template or skip tokenizing."""
    own = set(inspect.signature(tokenizer.apply_chat_template).parameters) - _TEMPLATE_FLAGS
    if taken := sorted(own & set(options)):
        raise refused(f"`{taken[0]}` is not an option of the chat template.", "chat_template_kwargs")
    for flag in _TEMPLATE_FLAGS & set(options):
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
    options = {"add_generation_prompt": True, **prompt.template_options}
    messages = [dict(message) for message in prompt.messages]
    tools = [dict(tool) for tool in prompt.tools] or None
    if prompt.tool_choice.required and "tools" not in str(tokenizer.chat_template):
        messages = _with_tools(messages, prompt)
    if "sanitize_control_tokens" in inspect.signature(tokenizer.apply_chat_template).parameters:
        # "<|im_end|>" in a message stays text: only the template itself ends a turn.
        options["sanitize_control_tokens"] = True
    try:
        ids: list[int] = tokenizer.apply_chat_template(messages, tools=tools, return_dict=True, **options)["input_ids"]
    except Exception as error:
        raise refused(
            f"The chat template of `{model}` refuses these messages: {error}",
            "messages",
            hint="The template comes with the model; many want user and assistant to take turns, beginning with user.",
        ) from error
    return ids


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
        {**message, "content": f"{message['content']}\n\n{asking}"} if message is last else message
        for message in messages
    ]
