"""What each operation's request may say: one table per operation, one row per field.

Source of the fields: OpenAI's API reference; `top_k`, `min_p`, `repetition_penalty`, `stop_token_ids`, `ignore_eos`,
`min_tokens` and `chat_template_kwargs` are what vLLM adds, `typical_p` what llama.cpp and TGI do.
"""

from __future__ import annotations

from typing import Any

from llamafarm_universal.server.fields import (
    Advisory,
    Done,
    Refused,
    Table,
    any_text,
    as_list,
    as_object,
    boolean,
    choice,
    integer,
    number,
    record,
    text,
    wrong,
)
from llamafarm_universal.server.inputs import (
    MAX_TOKEN_ID,
    documents,
    embedding_input,
    labels,
    pictures,
    prompt,
    texts,
)
from llamafarm_universal.server.keep import FOREVER
from llamafarm_universal.server.prompts import messages, tools
from llamafarm_universal.server.structure import response_format, structured_outputs, tool_choice

MAX_CHOICES = 16
MAX_STOPS = 16
MAX_STOP_LENGTH = 1024
MAX_BIASES = 1024
SEED_LIMIT = 2**63 - 1
MAX_SPOKEN = 20_000
"""Characters of one text: half an hour of speech."""
MAX_KEEP_ALIVE = 10**9
"""Seconds: 30 years."""
MAX_CAPTION_TOKENS = 512
COMPLETION_TOKENS = 16
"""What `max_tokens` of a text completion is by default: OpenAI's, and every common server's."""


def stop(value: Any, path: str) -> tuple[str, ...]:
    """One text, or a list of up to MAX_STOPS; an empty list asks for nothing."""
    if value == []:
        return ()
    texts = [value] if isinstance(value, str) else as_list(value, path, most=MAX_STOPS)
    for item in texts:
        if not isinstance(item, str) or not 1 <= len(item) <= MAX_STOP_LENGTH:
            wrong(path, f"texts of 1 to {MAX_STOP_LENGTH} characters", item)
    return tuple(texts)


def stop_token_ids(value: Any, path: str) -> tuple[int, ...]:
    """A list of up to MAX_STOPS token ids; an empty one asks for nothing."""
    items = as_list(value, path, most=MAX_STOPS) if value != [] else []
    token = integer(0, MAX_TOKEN_ID)
    return tuple(token(item, f"{path}[{i}]") for i, item in enumerate(items))


def file(value: Any, path: str) -> Any:
    """A file of a form."""
    from llamafarm_universal.media.form import UploadedFile  # not above: clients read these tables, too

    if not isinstance(value, UploadedFile):
        wrong(path, "a file", value)
    return value


def spoken(value: Any, path: str) -> str:
    """A text of at most MAX_SPOKEN characters."""
    if not isinstance(value, str) or not value or len(value) > MAX_SPOKEN:
        wrong(path, f"a text of 1 to {MAX_SPOKEN:,} characters", value)
    return value


def voice(value: Any, path: str) -> str:
    """A name, or an object with the name as its `id`."""
    if isinstance(value, dict):
        return text(value.get("id"), f"{path}.id")
    return text(value, path)


def granularities(value: Any, path: str) -> tuple[str, ...]:
    """One of a transcript's kinds of times, or a list of them; in a form it may be one item of a list."""
    items = [value] if isinstance(value, str) else as_list(value, path, most=2)
    known = choice("segment", "word")
    return tuple(known(item, path) for item in items)


def logit_bias(value: Any, path: str) -> dict[int, float]:
    """An object from token ids to numbers from -100 to 100."""
    entries = as_object(value, path)
    if len(entries) > MAX_BIASES:
        wrong(path, f"an object of at most {MAX_BIASES} tokens", entries)
    bias = number(-100, 100)
    return {_token_id(token, path): bias(amount, f"{path}.{token}") for token, amount in entries.items()}


def _token_id(key: str, path: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) <= 9):
        wrong(path, "an object whose keys are token ids", key)
    return int(key)


def load_options(value: Any, path: str) -> tuple[tuple[str, bool], ...]:
    """What changes how one kind of model is loaded, as pairs that can be compared."""
    return tuple(sorted(record(enable_optimizations=boolean)(value, path).items()))


SAMPLING: Table = {
    "temperature": Done(number(0, 2)),
    "top_p": Done(number(0, 1)),
    "top_k": Done(integer(-1)),
    "min_p": Done(number(0, 1)),
    "typical_p": Done(number(0, 1)),
    "repetition_penalty": Done(number(0, 10, above=True)),
    "presence_penalty": Done(number(-2, 2)),
    "frequency_penalty": Done(number(-2, 2)),
    "logit_bias": Done(logit_bias),
    "stop": Done(stop),
    "stop_token_ids": Done(stop_token_ids),
    "ignore_eos": Done(boolean),
    "min_tokens": Done(integer(0)),
    "seed": Done(integer(-SEED_LIMIT, SEED_LIMIT - MAX_CHOICES)),
    "max_tokens": Done(integer(1)),
    "n": Done(integer(1, MAX_CHOICES)),
    "stream": Done(boolean),
    "stream_options": Done(record(include_usage=boolean, include_obfuscation=boolean)),
    "user": Advisory(),
}

STRUCTURE: Table = {
    "response_format": Done(response_format),
    "structured_outputs": Done(
        structured_outputs, note="vLLM's: json, json_object, regex, choice, grammar or structural_tag."
    ),
    "guided_json": Refused("vLLM has it no more; use 'structured_outputs': {'json': …}."),
    "guided_regex": Refused("vLLM has it no more; use 'structured_outputs': {'regex': …}."),
    "guided_choice": Refused("vLLM has it no more; use 'structured_outputs': {'choice': …}."),
    "guided_grammar": Refused("vLLM has it no more; use 'structured_outputs': {'grammar': …}."),
}

CHAT: Table = {
    "model": Done(text, required=True),
    "messages": Done(messages, required=True),
    **SAMPLING,
    **STRUCTURE,
    "max_completion_tokens": Done(integer(1)),
    "logprobs": Done(boolean),
    "top_logprobs": Done(integer(0, 20)),
    "tools": Done(tools),
    "tool_choice": Done(tool_choice),
    "parallel_tool_calls": Done(boolean),
    "chat_template_kwargs": Done(record(enable_thinking=boolean, thinking=boolean)),
    "metadata": Advisory(),
    "store": Advisory(),
    "service_tier": Advisory(),
    "safety_identifier": Advisory(),
    "prompt_cache_key": Advisory(),
    "prompt_cache_retention": Advisory(),
    "modalities": Refused("this model answers in text alone.", inert=(["text"],)),
    "reasoning_effort": Refused("use chat_template_kwargs {'enable_thinking': …} where the model's template knows it."),
    "verbosity": Refused("say in the prompt how long the answer shall be."),
    "functions": Refused("use 'tools'."),
    "function_call": Refused("use 'tool_choice'."),
    "audio": Refused("this model answers in text alone."),
    "prediction": Refused("predicted outputs are not used here."),
    "web_search_options": Refused("this runtime searches nothing."),
}

COMPLETIONS: Table = {
    "model": Done(text, required=True),
    "prompt": Done(prompt, required=True),
    **SAMPLING,
    **STRUCTURE,
    "logprobs": Done(integer(0, 20)),
    "suffix": Refused("models here continue a text, they do not fill one in.", inert=("",)),
    "echo": Refused("put the prompt before the answer yourself.", inert=(False,)),
    "best_of": Done(
        integer(1, MAX_CHOICES), note="how many are made, of which the `n` likeliest come back; not streamed."
    ),
}

EMBEDDINGS: Table = {
    "model": Done(text, required=True),
    "input": Done(
        embedding_input,
        required=True,
        note="texts, token ids, and pictures: objects with `image` or `image_url`; those with `text` are texts.",
    ),
    "encoding_format": Done(choice("float", "base64")),
    "dimensions": Done(integer(1, 65536)),
    "input_type": Done(choice("query", "document"), note="'query' or 'document': the author's prompt for it, if any."),
    "user": Advisory(),
}

RERANK: Table = {
    "model": Done(text, required=True),
    "query": Done(text, required=True),
    "documents": Done(documents, required=True, note="texts, or objects with `text`."),
    "top_n": Done(integer(1)),
    "return_documents": Done(boolean),
    "user": Advisory(),
}

SCORE: Table = {
    "model": Done(text, required=True),
    "text_1": Done(texts, required=True),
    "text_2": Done(texts, required=True),
    "user": Advisory(),
}

CLASSIFY: Table = {
    "model": Done(text, required=True),
    "input": Done(texts, required=True),
    "candidate_labels": Done(labels, note="for models that infer one text from another."),
    "hypothesis_template": Done(text, note="'This example is {}.' by default."),
    "multi_label": Done(boolean),
    "use_activation": Done(boolean),
    "user": Advisory(),
}

NER: Table = {
    "model": Done(text, required=True),
    "input": Done(texts, required=True),
    "aggregation_strategy": Done(choice("none", "simple", "first", "average", "max")),
    "user": Advisory(),
}

TRANSLATION: Table = {
    "model": Done(text, required=True),
    "file": Done(file, required=True, note="any common container of sound, also of films."),
    "prompt": Done(any_text, note="its end counts where it is long."),
    "response_format": Done(choice("json", "text", "srt", "verbose_json", "vtt")),
    "temperature": Done(number(0, 1), note="0, the default, is raised where a text looks like a failure."),
    "user": Advisory(),
}

TRANSCRIPTION: Table = {
    **TRANSLATION,
    "language": Done(text, note="ISO 639-1, or its English name; else it is detected, where the model can."),
    "timestamp_granularities": Done(granularities, note="`segment`, and `word` where the model tells them."),
    "stream": Done(boolean, note="with `json` or `text`."),
    "chunking_strategy": Advisory(),
    "include": Refused("log probabilities of each token are not told.", inert=([],)),
    "languages": Refused("name one by 'language', or leave it out to have it detected.", inert=([],)),
    "keywords": Refused("say them in 'prompt'.", inert=([],)),
    "known_speaker_names": Refused("speakers are not told apart.", inert=([],)),
    "known_speaker_references": Refused("speakers are not told apart.", inert=([],)),
}

PICTURES: Table = {
    "model": Done(text, required=True),
    "input": Done(
        pictures, required=True, note="data URLs, base64 or addresses, alone or in objects as of embeddings."
    ),
    "user": Advisory(),
}

PICTURE_CLASSES: Table = {**PICTURES, "top_n": Done(integer(1), note="how many classes of each picture; 5 by default.")}

ZERO_SHOT: Table = {
    **PICTURES,
    "candidate_labels": Done(labels, required=True),
    "hypothesis_template": Done(text, note="'This is a photo of {}.' by default."),
}

FEATURES: Table = {
    **PICTURES,
    "per_patch": Done(boolean),
    "encoding_format": Done(choice("float", "base64")),
}

DETECT: Table = {
    **PICTURES,
    "candidate_labels": Done(labels, note="for models that find what a request names."),
    "threshold": Done(number(0, 1), note="0.5 by default; 0.1 of OWL-ViT and OWLv2, 0.25 of Grounding DINO."),
}

SEGMENT: Table = {
    **PICTURES,
    "kind": Done(choice("semantic", "instance", "panoptic"), note="the finest that the model does by default."),
    "threshold": Done(number(0, 1), note="0.5 by default."),
}

DEPTH: Table = PICTURES

CAPTION: Table = {
    **PICTURES,
    "prompt": Done(text, note="how each caption begins."),
    "max_tokens": Done(integer(1, MAX_CAPTION_TOKENS), note="50 by default."),
}

SPEECH: Table = {
    "model": Done(text, required=True),
    "input": Done(spoken, required=True),
    "voice": Done(voice, note="one of the model's; `default` is its first."),
    "response_format": Done(choice("mp3", "opus", "aac", "flac", "wav", "pcm")),
    "speed": Done(number(0.25, 4)),
    "seed": Done(integer(0, SEED_LIMIT), note="of what is left to chance; 0 by default."),
    "stream_format": Done(choice("audio", "sse")),
    "instructions": Refused("models here take a text and a voice.", inert=("",)),
    "user": Advisory(),
}

OPERATION: Table = {
    "model": Done(text, required=True),
    "input": Done(as_object, required=True, note="what the engine that has declared the operation says."),
    "stream": Done(boolean),
}

SETTINGS = {
    "device": choice("auto", "cuda", "mps", "cpu"),
    "dtype": choice("auto", "fp16", "bf16", "fp32"),
    "quantization": choice("none", "int8", "int4"),
    "draft_model": text,
    "trust_remote_code": boolean,
    "model_type": text,
    "revision": text,
    "engine": text,
    "isolated": boolean,
    "options": load_options,
}

LOAD: Table = {
    "id": Done(text, required=True),
    "settings": Done(record(**SETTINGS)),
    "keep_alive": Done(
        number(FOREVER, MAX_KEEP_ALIVE), note="seconds; 0: until its last request has ended, -1: for ever"
    ),
    "group": Done(text, note="models of one group are never in memory together"),
    "stream": Done(boolean),
}

PULL: Table = {
    "id": Done(text, required=True),
    "settings": Done(record(revision=text, trust_remote_code=boolean, draft_model=text)),
    "stream": Done(boolean),
}

UNLOAD: Table = {"model": Done(text, required=True)}
