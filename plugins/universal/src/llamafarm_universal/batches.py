"""An embedding request in parts, and the parts' answers as one; and texts that are counted, in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llamafarm.wire import EmbeddingRequest, EmbeddingResponse, Unparsed, parsed

SHARE_TEXTS = 8192
SHARE_CHARACTERS = 2_000_000
"""What one request counts at most: far less than a runtime reads of a body, and done well within a second."""


def parts(request: EmbeddingRequest, size: int | None) -> Iterator[EmbeddingRequest]:
    """The request in parts of at most `size` inputs; a single text, object or list of token ids stays whole."""
    inputs = request["input"]
    if size is None or isinstance(inputs, str | dict) or len(inputs) <= size or isinstance(inputs[0], int):
        yield request
        return
    for start in range(0, len(inputs), size):
        yield {**request, "input": inputs[start : start + size]}


def joined(parts: Sequence[EmbeddingResponse | Unparsed]) -> EmbeddingResponse | Unparsed:
    """One answer: the vectors counted through, the tokens added up."""
    if len(parts) == 1:
        return parts[0]
    answers: list[EmbeddingResponse] = [parsed(part) for part in parts]
    vectors = [vector for answer in answers for vector in answer["data"]]
    used = [answer["usage"] for answer in answers if "usage" in answer]
    return {
        **answers[0],
        "data": [{**vector, "index": index} for index, vector in enumerate(vectors)],
        "usage": {
            "prompt_tokens": sum(one["prompt_tokens"] for one in used),
            "total_tokens": sum(one["total_tokens"] for one in used),
        },
    }


def shares(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in parts of which each can be counted by one request; a text is never cut, however long it is."""
    share: list[str] = []
    characters = 0
    for text in texts:
        if share and (len(share) == SHARE_TEXTS or characters + len(text) > SHARE_CHARACTERS):
            yield share
            share, characters = [], 0
        share.append(text)
        characters += len(text)
    if share:
        yield share
