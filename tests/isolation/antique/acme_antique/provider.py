"""The client of one server."""

from __future__ import annotations

from typing import Any

import llamafarm


class AntiqueProvider:
    def __init__(self, endpoint: llamafarm.Endpoint) -> None:
        self._upstream = llamafarm.HttpUpstream(endpoint)

    async def chat(self, request: llamafarm.ChatRequest, call: llamafarm.Call) -> llamafarm.Reply:
        call.progress(llamafarm.Progress("ready", "asking"))
        body: dict[str, Any] = {**request, "model": call.entry.model}
        stream = bool(body.get("stream"))
        answer = await self._upstream.open_stream("/chat/completions", body, call, stream=stream)
        return await llamafarm.read_reply(self._upstream, answer)

    async def describe(self, model: str) -> llamafarm.ModelInfo:
        for info in await self.list_models():
            if info.id == model:
                return info
        raise llamafarm.ModelNotFound(f"There is no model {model!r}.", provider="antique")

    async def list_models(self) -> list[llamafarm.ModelInfo]:
        body = await self._upstream.get_json("/models")
        return [llamafarm.ModelInfo(id=item["id"]) for item in body["data"]]

    async def health(self) -> llamafarm.Health:
        try:
            await self.list_models()
        except llamafarm.LlamaFarmError as error:
            return llamafarm.Health(ok=False, detail=error.message)
        return llamafarm.Health(ok=True)

    async def aclose(self) -> None:
        await self._upstream.aclose()
