"""From a work to what its pipeline is told, checked: nothing of a request is dropped, cut or rounded."""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import MediaSettings, RequestFailed, Work, refused
from llamafarm_universal.host.engines.diffusion.pictures import Given, opened
from llamafarm_universal.host.engines.diffusion.pipelines import Kind, Pipelines
from llamafarm_universal.messages import DrawImage, Drawing, EditImage, VaryImage

MAX_PIXELS = 2048 * 2048
_GUIDED_ABOVE = 1.0
"""With less guidance a model does not look at what is not wanted."""


@dataclass(frozen=True)
class Order:
    """One work, ready to be drawn.

    told: what the pipeline is told for the whole batch; given: its picture and mask. size: width and height, in pixels.
    """

    kind: Kind
    prompt: str
    n: int
    drawing: Drawing
    told: dict[str, Any]
    size: tuple[int, int]
    given: Given = field(default_factory=Given)

    @property
    def shape(self) -> Hashable:
        """Works of one shape are drawn in one batch."""
        return (self.kind, self.drawing.scheduler, self.drawing.negative_prompt is None, *sorted(self.told.items()))


class Orders:
    """Makes orders, in several threads at once."""

    def __init__(self, pipelines: Pipelines, media: MediaSettings) -> None:
        self._pipelines = pipelines
        self._media = media
        # Of its own: a tokenizer that is cutting texts for a drawing can count none meanwhile.
        self._texts = [(copy.deepcopy(tokenizer), is_free) for tokenizer, is_free in pipelines.texts()]
        self._counting = threading.Lock()

    def of(self, work: Work) -> Order:
        """Raises RequestFailed for what the model cannot draw, naming the field."""
        assert isinstance(work, DrawImage | EditImage | VaryImage)
        drawing = work.drawing
        given = Given()
        if not isinstance(work, DrawImage):
            mask = work.mask if isinstance(work, EditImage) else None
            given = opened(work.image, mask, work.folder, self._media)
        kind: Kind = "text" if given.image is None else "image" if given.mask is None else "mask"
        if kind not in self._pipelines.by_kind:
            raise self._cannot(kind)
        prompt = "" if isinstance(work, VaryImage) else work.prompt
        self._check_text(prompt, "prompt", kind)
        if drawing.previews and not self._pipelines.can_preview:
            what = f"No unfinished pictures can be shown of a `{self._pipelines.name}`."
            raise refused(what, "partial_images", hint="Leave it out: a stream tells the steps all the same.")
        told = self._told(drawing, kind)
        if given.image is not None:
            width, height = self._size(drawing, given)
            given = given.resized(width, height)
            told |= {"width": width, "height": height}
            self._add_strength(told, None if isinstance(work, DrawImage) else work.strength, kind)
        side = self._pipelines.side
        size = told.get("width", side), told.get("height", side)
        return Order(kind, prompt, work.n, drawing, told, size, given)

    def _told(self, drawing: Drawing, kind: Kind) -> dict[str, Any]:
        told: dict[str, Any] = {}
        known = self._pipelines.parameters(kind)
        if drawing.width is not None and drawing.height is not None:
            self._check_size(drawing.width, drawing.height)
            told |= {"width": drawing.width, "height": drawing.height}
        if drawing.scheduler is not None:
            self._pipelines.schedulers.check(drawing.scheduler)
        if drawing.steps is not None:
            told["num_inference_steps"] = drawing.steps
        if drawing.guidance_scale is not None:
            _refuse_unknown("guidance_scale", known)
            told["guidance_scale"] = drawing.guidance_scale
        if drawing.negative_prompt is not None:
            self._check_negative(drawing, kind, known)
        return told

    def _size(self, drawing: Drawing, given: Given) -> tuple[int, int]:
        """The size that is asked for, else that of the picture, made smaller where it is larger than the model's."""
        if drawing.width is not None and drawing.height is not None:
            return drawing.width, drawing.height
        own, grid = self._pipelines.side, self._pipelines.grid
        width, height = given.size
        factor = min(1.0, (own * own / (width * height)) ** 0.5)
        return max(grid, int(width * factor) // grid * grid), max(grid, int(height * factor) // grid * grid)

    def _add_strength(self, told: dict[str, Any], strength: float | None, kind: Kind) -> None:
        known = self._pipelines.parameters(kind)
        if strength is not None:
            _refuse_unknown("strength", known)
            told["strength"] = strength
        share = told.get("strength", known.get("strength", 1.0))
        steps = told.get("num_inference_steps", known.get("num_inference_steps", 1))
        if int(steps * share) < 1:
            raise refused(
                f"With strength {share:g}, {steps} steps leave none that changes the picture.",
                "strength",
                hint="Use more steps, or more strength.",
            )

    def _check_size(self, width: int, height: int) -> None:
        grid, own = self._pipelines.grid, self._pipelines.side
        if width % grid or height % grid:
            near = f"{_near(width, grid)}x{_near(height, grid)}"
            raise refused(
                f"This model draws pictures whose sides are multiples of {grid} pixels, not {width}x{height}.",
                "size",
                hint=f"The nearest is {near}; the model's own size is {own}x{own}.",
            )
        if width * height > MAX_PIXELS:
            raise refused(
                f"A picture of {width}x{height} has more than {MAX_PIXELS:,} pixels.",
                "size",
                hint=f"The model's own size is {own}x{own}.",
            )

    def _check_negative(self, drawing: Drawing, kind: Kind, known: dict[str, Any]) -> None:
        """What is not wanted has an effect with guidance alone: refused where it would have none."""
        _refuse_unknown("negative_prompt", known)
        other = known.get("true_cfg_scale")
        scale = other if other is not None else drawing.guidance_scale
        if scale is None:
            scale = known.get("guidance_scale") or 0.0
        if scale <= _GUIDED_ABOVE:
            why = "its guidance is trained into it" if other is not None else f"`guidance_scale` is {scale:g}"
            raise refused(
                f"A negative prompt has no effect with this model here: {why}.",
                "negative_prompt",
                hint="Leave it out, or use a guidance_scale above 1." if other is None else "Leave it out.",
            )
        self._check_text(drawing.negative_prompt or "", "negative_prompt", kind)

    def _check_text(self, text: str, field: str, kind: Kind) -> None:
        """Refuse a text that no text encoder of the model reads to its end: the rest would be left out."""
        limit = self._pipelines.parameters(kind).get("max_sequence_length")
        rooms = []
        for tokenizer, is_free in self._texts:
            most = limit if is_free and isinstance(limit, int) else int(tokenizer.model_max_length)
            with self._counting:
                has = len(tokenizer(text, verbose=False).input_ids)
            if has <= most:
                return
            rooms.append((has, most))
        if rooms:
            has, most = max(rooms, key=lambda room: room[1])
            raise refused(f"The text has {has:,} tokens; this model reads {most:,}.", field, hint="Make it shorter.")

    def _cannot(self, kind: Kind) -> RequestFailed:
        draws = {
            "text": "a text alone" if kind != "text" else "",
            "image": "a picture and a text",
            "mask": "a picture, a mask and a text",
        }
        able = " or ".join(draws[each] for each in self._pipelines.by_kind)
        what = {"text": "a text alone", "image": "a picture without a mask", "mask": "a picture with a mask"}[kind]
        return RequestFailed("not_supported", f"This model draws nothing from {what}, only from {able}.", param="model")


def _refuse_unknown(name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise refused(f"This model has no `{name}`.", name, hint="Leave it out.")


def _near(side: int, grid: int) -> int:
    return max(grid, round(side / grid) * grid)
