"""Pictures that are drawn together: one call of a pipeline, taken a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from llamafarm_universal.host.engines.diffusion.order import Order
from llamafarm_universal.host.engines.diffusion.pipelines import Pipelines
from llamafarm_universal.host.engines.diffusion.previews import Step, due, preview
from llamafarm_universal.host.engines.stepwise import Stepwise, hand_over

GATHER_SECONDS = 0.005
"""Far less than any picture takes."""


class Drawn(Protocol):
    """What a batch knows of a picture. seed: of its own noise."""

    @property
    def order(self) -> Order: ...
    @property
    def seed(self) -> int: ...


P = TypeVar("P", bound=Drawn)


class Batch(Generic[P]):
    """Pictures of one shape.

    stepped: told with those that are still wanted how many steps are done, of how many. shown: told of each unfinished
    picture, of PIL, and how many there were before.
    """

    def __init__(
        self,
        pictures: Sequence[P],
        pipelines: Pipelines,
        stepped: Callable[[list[P], int, int], None],
        shown: Callable[[P, int, Any], None],
    ) -> None:
        self.pictures = list(pictures)
        self._places = list(pictures)
        self._opened = monotonic()
        self._begun = False
        self._stepped = stepped
        self._shown = shown
        self._previews: list[tuple[P, int, Any]] = []
        self._told = self._done = self._total = 0
        first = self.pictures[0].order
        self._pipeline = pipelines.new(first.kind, first.drawing.scheduler, self._count)
        self._call = Stepwise(self._draw)
        self._parameters = pipelines.parameters(first.kind)

    @property
    def decodes(self) -> bool:
        """Whether nothing else of the model may run until it is done."""
        return self._call.decodes

    @property
    def is_open(self) -> bool:
        """Whether it waits for more pictures, as it does for a moment: those of several clients come one by one."""
        return not self._begun and monotonic() < self._opened + GATHER_SECONDS

    def add(self, pictures: Sequence[P]) -> None:
        """Draw more pictures with those that are there, as long as nothing has been drawn."""
        assert not self._begun, "it is being drawn already"
        self.pictures += pictures
        self._places += pictures

    def step(self) -> bool:
        """Draw until a part of the model is about to compute. Returns whether it is done."""
        self._begun = True
        done = self._call.step()
        if self._done > self._told:
            self._told = self._done
            self._stepped(self.pictures, self._done, self._total)
        previews, self._previews = self._previews, []
        for picture, number, drawn in previews:
            self._shown(picture, number, drawn)
        return done

    def results(self) -> list[tuple[P, Any]]:
        """The pictures that are still wanted, as drawn."""
        drawn = zip(self._places, self._call.value(), strict=True)
        return [(picture, result) for picture, result in drawn if picture in self.pictures]

    def leave(self, leaves: Callable[[P], bool]) -> None:
        """Forget pictures that nobody wants any more; where none is left, the drawing ends."""
        self.pictures = [picture for picture in self.pictures if not leaves(picture)]
        if not self._begun:
            self._places = list(self.pictures)
        if not self.pictures:
            self.close()

    def close(self) -> None:
        """End the drawing where it is."""
        self._call.close()
        self._pipeline = None

    def _count(self, pipeline: Any, step: Step) -> None:
        """In the drawing's thread, after a step of the scheduler."""
        self._done += 1
        self._total = int(getattr(pipeline, "_num_timesteps", None) or len(pipeline.scheduler.timesteps))
        for place, picture in enumerate(self._places):
            steps = due(picture.order.drawing.previews, self._total)
            if self._done not in steps:
                continue
            hand_over()  # decoding takes as long as a step, or longer
            if picture in self.pictures:
                drawn = preview(pipeline, step.foreseen()[place : place + 1], *picture.order.size)
                self._previews.append((picture, steps.index(self._done), drawn))

    def _draw(self) -> Any:
        """In a thread of its own."""
        import torch

        orders = [picture.order for picture in self._places]
        first = orders[0]
        told = {name: value for name, value in first.told.items() if name in self._parameters}
        told["prompt"] = [order.prompt for order in orders]
        # On the processor, so that one seed is one picture on every device.
        told["generator"] = [torch.Generator().manual_seed(picture.seed) for picture in self._places]
        if first.drawing.negative_prompt is not None:
            told["negative_prompt"] = [order.drawing.negative_prompt for order in orders]
        if first.given.image is not None:
            told["image"] = [order.given.image for order in orders]
        if first.given.mask is not None:
            told["mask_image"] = [order.given.mask for order in orders]
        return self._pipeline(**told, output_type="pil").images
