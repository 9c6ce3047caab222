"""The diffusion engine: batches of pictures of one shape, each batch one look of the denoiser further in each step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from time import sleep
from typing import Any

from llamafarm_universal.engine import (
    Accepted,
    Emit,
    Engine,
    Finished,
    Limits,
    LoadedModel,
    LoadPlan,
    Preview,
    Progress,
    RequestFailed,
    Work,
    explained,
)
from llamafarm_universal.host.engines.adapted import Adapted
from llamafarm_universal.host.engines.diffusion.adapters import DrawingAdapter, check_file
from llamafarm_universal.host.engines.diffusion.batch import Batch
from llamafarm_universal.host.engines.diffusion.order import Order, Orders
from llamafarm_universal.host.engines.diffusion.pictures import as_file
from llamafarm_universal.host.engines.diffusion.pipelines import Pipelines

BATCHES = 4
"""So many are drawn in turn; what comes meanwhile waits, and is batched."""
WAIT_SECONDS = 0.001
"""Between two looks for more pictures, where nothing else is to be drawn."""
PICTURES_ON_CPU = 4
PICTURES = 8
"""So many are drawn in one batch."""


@dataclass(eq=False)
class Request:
    """One request under way. apart: it shares no batch any more."""

    request_id: str
    order: Order
    emit: Emit
    adapter: DrawingAdapter | None = None
    apart: bool = False


@dataclass(eq=False)
class Picture:
    """One picture of a request."""

    request: Request
    index: int
    drawn: Any = field(default=None, repr=False)

    @property
    def order(self) -> Order:
        """What it is drawn from."""
        return self.request.order

    @property
    def seed(self) -> int:
        """Of this picture alone: whatever is drawn beside it changes nothing of it."""
        return self.order.drawing.seed + self.index


class DiffusionEngine:
    """Draws the pictures of all requests. model: what is known of the loaded model."""

    def __init__(self, pipelines: Pipelines, model: LoadedModel, limits: Limits) -> None:
        self.model = model
        self._pipelines = pipelines
        self._orders = Orders(pipelines, limits.media)
        self._adapters = pipelines.adapters()
        self._most = PICTURES_ON_CPU if model.device == "cpu" else PICTURES
        self._max_waiting = limits.max_waiting
        self._waiting: deque[Picture] = deque()
        self._batches: deque[Batch[Picture]] = deque()
        self._drawn: deque[Picture] = deque()

    def prepare(self, work: Work) -> Order:
        """What the pipeline is told. Raises RequestFailed for what it cannot draw."""
        return self._orders.of(work)

    def submit(
        self, request_id: str, work: Work, prepared: Order, emit: Emit, adapter: DrawingAdapter | None = None
    ) -> None:
        if len(self._waiting) + work.answers > self._max_waiting:
            raise RequestFailed("busy", "Too many pictures wait for this model.", hint="Ask again in a moment.")
        request = Request(request_id, prepared, emit, adapter)
        self._waiting.extend(Picture(request, index) for index in range(work.answers))
        emit(Accepted(request_id, 0, self.model))

    def cancel(self, request_id: str) -> None:
        self._waiting = deque(each for each in self._waiting if each.request.request_id != request_id)
        self._drawn = deque(each for each in self._drawn if each.request.request_id != request_id)
        for batch in list(self._batches):
            batch.leave(lambda picture: picture.request.request_id == request_id)
            if not batch.pictures:
                self._batches.remove(batch)

    def step(self) -> bool:
        if self._drawn:
            self._tell(self._drawn.popleft())
        else:
            self._advance()
            self._begin()
        return bool(self._drawn or self._batches or self._waiting)

    def read_adapter(self, plan: LoadPlan) -> LoadPlan:
        """Look at an adapter's file, in a thread; it is put on the pipeline between two steps. Raises RequestFailed."""
        assert plan.adapter is not None, "a plan without an adapter"
        check_file(plan, plan.adapter)
        return plan

    def adapted(self, plan: LoadPlan, adapter: LoadPlan) -> Engine:
        """What draws with an adapter. Raises RequestFailed for one that does not fit."""
        loaded = self._adapters.load(adapter)
        model = replace(self.model, ref=plan.ref, parameters=plan.parameters, memory_bytes=loaded.memory_bytes)
        return Adapted(self, model, loaded)

    def drop(self, adapter: DrawingAdapter) -> None:
        self._adapters.drop(adapter)

    def close(self) -> None:
        for batch in self._batches:
            batch.close()
        self._batches.clear()
        self._waiting.clear()
        self._drawn.clear()
        del self._pipelines, self._orders, self._adapters

    def _begin(self) -> None:
        """Put pictures that wait into batches of one shape, a batch that is still open before a new one."""
        for batch in self._batches:
            if batch.is_open:
                batch.add(self._take(batch.pictures[0], self._most - len(batch.pictures)))
        if self._waiting and len(self._batches) < BATCHES:
            self._batches.append(self._new_batch())

    def _new_batch(self) -> Batch[Picture]:
        pictures = self._take(self._waiting[0], self._most)
        return Batch(pictures, self._pipelines, self._stepped, self._show)

    def _take(self, first: Picture, most: int) -> list[Picture]:
        """At most so many of the pictures that wait and can be drawn with this one."""
        alike = [each for each in self._waiting if _go_together(first, each)][: max(0, most)]
        self._waiting = deque(each for each in self._waiting if each not in alike)
        return alike

    def _advance(self) -> None:
        """One step of the batch whose turn it is; a batch that decodes goes on until it is done."""
        ready = [batch for batch in self._batches if not batch.is_open]
        if not ready:
            if self._batches:
                sleep(WAIT_SECONDS)
            return
        batch = next((batch for batch in ready if batch.decodes), ready[0])
        self._batches.remove(batch)
        self._batches.append(batch)
        self._adapters.apply(batch.pictures[0].request.adapter)
        try:
            done = batch.step()
        except Exception as error:  # noqa: BLE001 - a batch that fails never ends the host
            self._batches.remove(batch)
            self._draw_apart(batch.pictures, error)
            return
        if done:
            self._batches.remove(batch)
            for picture, drawn in batch.results():
                picture.drawn = drawn
                self._drawn.append(picture)

    def _stepped(self, pictures: list[Picture], done: int, total: int) -> None:
        for picture in pictures:
            picture.request.emit(Progress(picture.request.request_id, picture.index, done, total))

    def _show(self, picture: Picture, number: int, drawn: Any) -> None:
        blob = as_file(drawn, picture.order.drawing)
        picture.request.emit(Preview(picture.request.request_id, picture.index, number, blob))

    def _tell(self, picture: Picture) -> None:
        request = picture.request
        try:
            blob = as_file(picture.drawn, picture.order.drawing)
        except Exception as error:  # noqa: BLE001 - as in `_advance`
            self._fail(request, error)
            return
        request.emit(Finished(request.request_id, picture.index, value=blob))

    def _draw_apart(self, pictures: list[Picture], error: Exception) -> None:
        """What has failed together is drawn again by request: no request ends for what another one asked."""
        requests = list(dict.fromkeys(picture.request for picture in pictures))
        if len(requests) == 1:
            self._fail(requests[0], error)
            return
        for request in requests:
            request.apart = True
        self._waiting.extendleft(reversed(pictures))

    def _fail(self, request: Request, error: Exception) -> None:
        self.cancel(request.request_id)
        request.emit(explained(error, "drawing a picture").event(request.request_id))


def _go_together(first: Picture, other: Picture) -> bool:
    if first.request is other.request:
        return True
    apart = first.request.apart or other.request.apart or first.request.adapter is not other.request.adapter
    return not apart and first.order.shape == other.order.shape
