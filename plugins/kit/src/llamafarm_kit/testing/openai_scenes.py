"""The scenes of a contract as a server plays them that speaks the OpenAI wire.

Source: OpenAI's API reference, "Chat completions", "Completions", "Embeddings", "Images", "Audio", "Models"
and "Error codes"; vLLM's documents, "Re-rank API", "Score API" and "Classification API".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from llamafarm.wire import sse

from llamafarm_kit.testing import oddities
from llamafarm_kit.testing.oddities import CALLS, ODDITIES, UNREADABLE
from llamafarm_kit.testing.scenes import Scene
from llamafarm_kit.testing.upstream import Asked, Peer, Script

MODEL = "contract-model"
TEXT = "Hello there."
TOKENS = (3, 2)
PICTURE = "aGVsbG8="
SOUND, SOUND_TYPE = bytes(range(256)), "audio/mpeg"
WORDS = "as the runtime says"
"""Part of the message of each refusal."""

_SOUND_HEAD = {"content-type": SOUND_TYPE, "content-length": str(len(SOUND))}
_REFUSALS: Mapping[Scene, tuple[int, str | None]] = {
    Scene.UNAUTHORIZED: (401, "invalid_api_key"),
    Scene.FORBIDDEN: (403, None),
    Scene.MODEL_MISSING: (404, "model_not_found"),
    Scene.INVALID: (400, None),
    Scene.TOO_LONG: (400, "context_length_exceeded"),
    Scene.BUSY: (429, "rate_limit_exceeded"),
    Scene.FAILED: (500, None),
    Scene.UNAVAILABLE: (503, None),
}


class OpenAIScenes(dict[Scene, Script]):
    """Every scene on the OpenAI wire; one that is played differently by your runtime is replaced by its key.

    model: the id that it lists. text, tokens: what it answers, and the prompt's and the answer's tokens.
    """

    def __init__(self, *, model: str = MODEL, text: str = TEXT, tokens: tuple[int, int] = TOKENS) -> None:
        ready = _Server(model, text, tokens)
        super().__init__({scene: _refusing(status, code, scene) for scene, (status, code) in _REFUSALS.items()})
        self[Scene.READY] = ready.answer
        self[Scene.ECHO] = ready.echo
        self[Scene.LENGTH] = _Server(model, text, tokens, finish="length").answer
        self[Scene.TOOLS] = _Server(model, text, tokens, finish="tool_calls").answer
        self[Scene.ENDLESS] = ready.begin
        self[Scene.BROKEN] = ready.break_off
        for oddity in ODDITIES:
            odd = _Server(model, text, tokens, finish="tool_calls" if oddity in CALLS else "stop")
            self[oddity] = partial(odd.answer_oddly, oddity)


class _Server:
    """What the scenes share: how a model list and each kind of answer look."""

    def __init__(self, model: str, text: str, tokens: tuple[int, int], *, finish: str = "stop") -> None:
        self.model = model
        self.text = text
        self.finish = finish
        self.usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}

    async def answer(self, asked: Asked, peer: Peer) -> None:
        await self._answer(asked, peer, self.text)

    async def echo(self, asked: Asked, peer: Peer) -> None:
        text = asked.body["messages"][-1]["content"] if _asks(asked, "/chat/completions") else self.text
        await self._answer(asked, peer, text)

    async def begin(self, asked: Asked, peer: Peer) -> None:
        await self._half(asked, peer)
        await peer.gone()

    async def break_off(self, asked: Asked, peer: Peer) -> None:
        await self._half(asked, peer)
        peer.close()

    async def answer_oddly(self, oddity: Scene, asked: Asked, peer: Peer) -> None:
        if _asks(asked, "/embeddings") and oddity is Scene.HOLES:
            answer = self._vectors(asked.body["input"])
            answer["data"][0]["embedding"][0] = None
            await peer.answer(200, answer)
        elif _asks(asked, "/completions") and asked.body.get("stream"):
            await oddities.stream(oddity, self._chunks(asked, self.text), asked, peer)
        elif _asks(asked, "/completions") and oddity in UNREADABLE:
            await peer.head(200, {"content-type": "application/json", "content-length": str(len(UNREADABLE[oddity]))})
            await peer.send(UNREADABLE[oddity])
        elif _asks(asked, "/chat/completions") and oddity is Scene.PARTS:
            answer = self._whole(asked, self.text)
            answer["choices"][0]["message"]["content"] = oddities.parts(thinking=oddities.THINKING, text=self.text)
            await peer.answer(200, answer)
        else:
            await self.answer(asked, peer)

    async def _half(self, asked: Asked, peer: Peer) -> None:
        """The beginning of an answer: of a sound where one was asked for, else of a text."""
        if _asks(asked, "/audio/speech"):
            await peer.head(200, _SOUND_HEAD)
            await peer.send(SOUND[: len(SOUND) // 2])
        else:
            await peer.stream(sse.encode(next(self._chunks(asked, self.text))), end=False)

    async def _answer(self, asked: Asked, peer: Peer, text: str) -> None:
        if _asks(asked, "/models"):
            await peer.answer(200, {"object": "list", "data": [self._listed()]})
        elif _asks(asked, "/embeddings"):
            await peer.answer(200, self._vectors(asked.body["input"]))
        elif "/vision/" in asked.path or _asks(asked, "/audio/classify"):
            rows = [{"index": at} for at in range(len(asked.body["input"]))]
            await peer.answer(200, {"object": "list", "model": self.model, "data": rows})
        elif "/images/" in asked.path or "/audio/" in asked.path:
            await self._content(asked, peer)
        elif _asks(asked, "/rerank") or _asks(asked, "/score"):
            await peer.answer(200, self._scores(asked))
        elif _asks(asked, "/classify") or _asks(asked, "/ner"):
            await peer.answer(200, self._classes(asked))
        elif not _asks(asked, "/completions"):
            await peer.answer(404, {"error": {"message": f"There is no {asked.path} here.", "type": "not_found"}})
        elif asked.body.get("stream"):
            chunks = [*self._chunks(asked, text), *self._usage_chunk(asked)]
            await peer.stream(*map(sse.encode, chunks), sse.DONE)
        else:
            await peer.answer(200, self._whole(asked, text))

    async def _content(self, asked: Asked, peer: Peer) -> None:
        """A picture, a text that was heard, or a sound."""
        if _asks(asked, "/audio/speech"):
            await peer.head(200, _SOUND_HEAD)
            await peer.send(SOUND)
        elif "/images/" in asked.path:
            await peer.answer(200, {"created": 1, "data": [{"b64_json": PICTURE}]})
        else:
            await peer.answer(200, {"text": self.text})

    def _scores(self, asked: Asked) -> dict[str, Any]:
        """The documents in their order turned around: the last one fits best."""
        if _asks(asked, "/score"):
            pairs = asked.body["text_2"] if isinstance(asked.body["text_2"], list) else [asked.body["text_2"]]
            rows = [{"object": "score", "index": at, "score": float(at)} for at in range(len(pairs))]
            return {"id": "answer-1", "object": "list", "model": self.model, "data": rows}
        places = reversed(range(len(asked.body["documents"])))
        return {"model": self.model, "results": [{"index": at, "relevance_score": float(at)} for at in places]}

    def _classes(self, asked: Asked) -> dict[str, Any]:
        """Every text is of the last class, and begins with a name."""
        texts = asked.body["input"] if isinstance(asked.body["input"], list) else [asked.body["input"]]
        if _asks(asked, "/classify"):
            labels = asked.body.get("candidate_labels") or ["a", "b"]
            probs = [float(label == labels[-1]) for label in labels]
            rows = [{"index": at, "label": labels[-1], "probs": probs} for at in range(len(texts))]
        else:
            name = {"label": "NAME", "start": 0, "end": 3, "score": 0.5}
            rows = [{"index": at, "entities": [{**name, "text": text[:3]}]} for at, text in enumerate(texts)]
        return {"object": "list", "model": self.model, "data": rows}

    def _listed(self) -> dict[str, Any]:
        return {"id": self.model, "object": "model", "created": 1, "owned_by": "contract"}

    def _whole(self, asked: Asked, text: str) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.finish}
        if not _asks(asked, "/chat/completions"):
            return {**self._head("text_completion"), "choices": [{**choice, "text": text}], "usage": self.usage}
        choice["message"] = {"role": "assistant", "content": text}
        if self.finish == "tool_calls":
            choice["message"] = {"role": "assistant", "content": None, "tool_calls": [_call(asked)]}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def _chunks(self, asked: Asked, text: str) -> Iterator[dict[str, Any]]:
        if not _asks(asked, "/chat/completions"):
            for word in (*_words(text), ""):
                choice = {"index": 0, "text": word, "finish_reason": None if word else self.finish}
                yield {**self._head("text_completion"), "choices": [choice]}
            return
        said: list[dict[str, Any]] = [{"content": word} for word in _words(text)]
        if self.finish == "tool_calls":
            said = [{"tool_calls": [{"index": 0, **_call(asked)}]}]
        yield self._chunk({"role": "assistant", "content": ""}, None)
        for delta in said:
            yield self._chunk(delta, None)
        yield self._chunk({}, self.finish)

    def _chunk(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _usage_chunk(self, asked: Asked) -> Iterator[dict[str, Any]]:
        kind = "chat.completion.chunk" if _asks(asked, "/chat/completions") else "text_completion"
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            yield {**self._head(kind), "choices": [], "usage": self.usage}

    def _vectors(self, inputs: Any) -> dict[str, Any]:
        count = len(inputs) if isinstance(inputs, list) else 1
        rows = [{"object": "embedding", "index": at, "embedding": [0.5, float(at)]} for at in range(count)]
        usage = {"prompt_tokens": count, "total_tokens": count}
        return {"object": "list", "model": self.model, "data": rows, "usage": usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "answer-1", "object": kind, "created": 1, "model": self.model}


def _refusing(status: int, code: str | None, scene: Scene) -> Script:
    body = {"error": {"message": f"{scene.name}, {WORDS}", "type": "contract", "code": code, "param": None}}
    headers = {"retry-after": "30"} if scene is Scene.BUSY else {}

    async def refuse(_: Asked, peer: Peer) -> None:
        await peer.answer(status, body, headers)

    return refuse


def _asks(asked: Asked, path: str) -> bool:
    return asked.path.partition("?")[0].endswith(path)


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _call(asked: Asked) -> dict[str, Any]:
    name = asked.body["tools"][0]["function"]["name"]
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}
