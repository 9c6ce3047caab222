"""An engine host without engines: a real process that speaks the real messages and does what it is told.

The model's id and the text of the last message say what happens:

    refuse/KIND         Failed of that kind before Accepted        text|in|pieces     one Piece for each
    never/accepts       nothing at all                             <hang>             no more events after the pieces
    die/before          the process kills itself before Accepted   <die>              the process kills itself
    die/load            the process kills itself while it loads    <fail>             Failed in the middle
    fail/late           Failed after some progress                 <show>             the command, as JSON
                                                                   <flood>            FLOOD bytes of text at once
                                                                   <log>              all commands so far, as JSON
                                                                   <thought>…         the piece is reasoning
                                                                   <call>…            the piece is a call, as JSON
                                                                   <arguments>…       it is what goes on with that

Of the operation `draw`, which is its own, `what` says the value: a small or a large blob, a dataclass, or what is no
JSON; each answer is told in two steps and a piece. <fail> and <hang> come after the first step.
"""

from __future__ import annotations

import array
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from llamafarm_universal import messages as m
from llamafarm_universal.failure import refused
from llamafarm_universal.host.options import HostOptions

LARGE = bytes(range(256)) * 2000
ONLY_WHEN_ASKED = ("never/accepts", "die/before")
"""Models that load."""
FLOOD = 160_000
"""More than is on its way to a client that does not read."""


@dataclasses.dataclass(frozen=True)
class Draw:
    """The work of an operation that the runtime does not know."""

    operation: ClassVar[str] = "draw"

    what: str
    answers: int = 1

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Draw:
        """The work of a request's fields."""
        if fields.get("what") == "<trip>":
            raise ZeroDivisionError("tripped")
        if "what" not in fields:
            raise refused("`what` is missing.", "input.what", hint="Say what to draw.")
        return cls(str(fields["what"]), int(fields.get("n", 1)))


@dataclasses.dataclass(frozen=True)
class Drawn:
    ink: float
    lines: tuple[str, ...]
    raw: bytes = b"\0\1"


VALUES: dict[str, Any] = {
    "small": m.Blob("image/x-small", 3, data=b"abc"),
    "nothing": None,
    "record": Drawn(0.5, ("a", "é")),
    "unsayable": Ellipsis,
}


def run(connection: Connection, options: HostOptions) -> None:
    connection.send((m.Ready("cpu", {"name": "scripted"}),))
    Host(connection).serve()


def told_in(text: str) -> tuple[m.Channel, str]:
    """The channel of a piece, and its text."""
    if text.startswith("<thought>"):
        return "reasoning", text.removeprefix("<thought>")
    if text.startswith("<call>"):
        return "tool_call", text.removeprefix("<call>")
    if text.startswith("<arguments>"):
        return "arguments", text.removeprefix("<arguments>")
    return "text", text


def run_and_exit(connection: Connection, options: HostOptions) -> None:
    sys.exit(3)


def run_without_torch(connection: Connection, options: HostOptions) -> None:
    connection.send((m.Failed("", "not_supported", "No module named 'torch'.", hint="pip install it."),))
    sys.exit(1)


class Host:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.log: list[dict[str, Any]] = []
        self.loaded: dict[m.ModelRef, m.LoadedModel] = {}

    def serve(self) -> None:
        while True:
            try:
                command = self.connection.recv()
            except (EOFError, OSError):
                return
            if isinstance(command, m.Stop):
                return
            name = type(command.work if isinstance(command, m.Run) else command).__name__
            self.log.append({"command": name, "request_id": command.request_id})
            getattr(self, name.lower())(command)

    def send(self, event: m.Event) -> None:
        self.connection.send((event,))

    def load(self, command: m.Load) -> None:
        ref, request_id = command.plan.ref, command.request_id
        if ref.id not in ONLY_WHEN_ASKED and self.refused(request_id, ref):
            return
        if ref.id == "fail/late":
            self.send(m.Failed(request_id, "load_failed", "The weights are broken."))
            return
        facts: Any = {"context_length": 128, "features": frozenset({"chat"})}
        self.loaded[ref] = m.LoadedModel(ref, "text", "torch", "cpu", "fp32", 10, command.plan.weight_bytes, **facts)
        self.send(m.Loaded(request_id, self.loaded[ref]))

    def unload(self, command: m.Unload) -> None:
        if self.loaded.pop(command.ref, None) is None:
            self.send(m.Failed(command.request_id, "model_not_found", f"{command.ref.id} is not loaded."))
            return
        self.send(m.Unloaded(command.request_id))

    def cancel(self, command: m.Cancel) -> None:
        pass

    def embed(self, command: m.Run) -> None:
        """The place of an input is its first number; that of a picture its size."""
        if not self.refused(command.request_id, command.ref):
            work: Any = command.work
            first = [len(item.read()) if isinstance(item, m.Blob) else place for place, item in enumerate(work.inputs)]
            vectors = [array.array("f", [float(number), 0.5, -1.0][: work.dimensions]).tobytes() for number in first]
            usage = m.Usage(prompt_tokens=2 * len(work.inputs))
            self.send(m.Finished(command.request_id, usage=usage, value=tuple(vectors)))

    def score(self, command: m.Run) -> None:
        """A pair's place is its score."""
        work: Any = command.work
        values = tuple(map(float, range(len(work.pairs))))
        self.end(command, m.Scores(values, "bi-encoder"))

    def classify(self, command: m.Run) -> None:
        """The last label for everything."""
        work: Any = command.work
        labels = work.labels or ("one", "two")
        self.end(command, m.Classes(labels, tuple((*[0.0] * (len(labels) - 1), 1.0) for _ in work.inputs)))

    def findentities(self, command: m.Run) -> None:
        """The first three characters of each text, called by the strategy."""
        work: Any = command.work
        self.end(command, tuple((m.Entity(work.strategy, 0, 3, 0.5),) for _ in work.inputs))

    def speak(self, command: m.Run) -> None:
        """A sample for each text."""
        for index in range(command.work.answers):
            self.send(m.Finished(command.request_id, index, value=m.Blob("audio/pcm;rate=16000", 2, b"ab")))

    def classifysounds(self, command: m.Run) -> None:
        """The classes are called by their number, and the size of each sound tells them apart."""
        work: Any = command.work
        labels = tuple(m.Label(f"class {number}", 0.5) for number in range(work.top))
        self.end(command, tuple(m.SoundClasses(float(sound.size), labels) for sound in work.sounds))

    def drawimage(self, command: m.Run) -> None:
        """A file for each picture, which says its place."""
        if not self.refused(command.request_id, command.ref):
            for index in range(command.work.answers):
                data = f"picture {index}".encode()
                self.send(m.Finished(command.request_id, index, value=m.Blob("image/png", len(data), data)))

    def look(self, command: m.Run) -> None:
        """Each picture's size tells the pictures apart, and the labels or other fields what was asked."""
        work: Any = command.work
        self.end(command, tuple(self.seen(work, picture.size) for picture in work.pictures))

    classifypictures = labelpictures = embedpictures = detectobjects = look
    segmentpictures = estimatedepth = captionpictures = look

    def seen(self, work: Any, size: int) -> Any:
        match work:
            case m.ClassifyPictures():
                return tuple(m.Label(f"class {number}", 0.5) for number in range(work.top))
            case m.LabelPictures():
                return tuple(m.Label(work.template.replace("{}", label), 0.25) for label in work.labels)
            case m.EmbedPictures():
                numbers = array.array("f", [float(size), 0.5, 1.0, -1.0])
                return m.Features((2, 2) if work.per_patch else (4,), work.folder.keep(numbers.tobytes(), "x/floats"))
            case m.DetectObjects():
                found = m.Object(" or ".join(work.labels) or "cow", work.threshold or 0.75, (1.0, 2.0, 3.5, 4.0))
                return m.Found(size, 7, (found,))
            case m.SegmentPictures():
                mask = work.folder.keep(LARGE, "image/png")
                return m.PictureParts(size, 7, work.kind or "semantic", (m.PicturePart("cow", work.threshold, mask),))
            case m.EstimateDepth():
                return m.Depth(size, 7, -1.5, 2.5, m.Blob("image/png", 3, data=b"png"))
        return f"{work.prompt}{size}, in {work.max_tokens}"

    def draw(self, command: m.Run) -> None:
        if self.refused(command, command.ref):
            return
        work: Any = command.work
        request_id = command.request_id
        self.send(m.Accepted(request_id, 0, self.loaded[command.ref]))
        for index in reversed(range(work.answers)):
            self.send(m.Progress(request_id, index, 1, 2))
            if work.what == "<fail>":
                self.send(m.Failed(request_id, "out_of_memory", "No ink is left."))
                return
            if work.what == "<hang>":
                return
            self.send(m.Piece(request_id, index, f"line {index}"))
            self.send(m.Progress(request_id, index, 2, 2))
            self.send(m.Finished(request_id, index, value=self.drawing(command)))

    def drawing(self, command: m.Run) -> Any:
        work: Any = command.work
        if work.what != "large":
            return VALUES[work.what]
        assert command.folder is not None
        return command.folder.keep(LARGE, "image/x-large")

    def end(self, command: m.Run, value: Any) -> None:
        if not self.refused(command.request_id, command.ref):
            self.send(m.Finished(command.request_id, usage=m.Usage(prompt_tokens=9), value=value))

    def count(self, command: m.Run) -> None:
        if not self.refused(command.request_id, command.ref):
            self.send(m.Finished(command.request_id, usage=m.Usage(prompt_tokens=7)))

    def counttexts(self, command: m.Run) -> None:
        """A token for each character."""
        work: Any = command.work
        self.end(command, tuple(map(len, work.texts)))

    def generate(self, command: m.Run) -> None:
        if self.refused(command.request_id, command.ref):
            return
        self.send(m.Accepted(command.request_id, 7, self.loaded[command.ref]))
        for index in range(command.work.answers):
            self.answer(command, index)

    def answer(self, command: m.Run, index: int) -> None:
        work: Any = command.work
        pieces = self.text(command).split("|")
        for text in pieces:
            if text == "<hang>":
                return
            if text == "<die>":
                die()
            if text == "<fail>":
                self.send(m.Failed(command.request_id, "out_of_memory", "Memory ran out.", hint="Use a smaller model."))
                return
            if text == "<flood>":
                piece = m.Piece(command.request_id, index, "x" * (FLOOD // 8))
                self.connection.send((piece,) * 8)
                continue
            channel, text = told_in(text)
            logprob = -0.5
            if text == "<index>":
                text, logprob = str(index), -1.0 if index == 1 else -2.0
            token = text.encode()
            logprobs = (m.TokenLogprob(token, logprob, ((token, -0.5), (b"x", -1.0), (b"\xf0\x9f", -2.0))),)
            told = () if work.sampling.logprobs is None else logprobs
            self.send(m.Piece(command.request_id, index, text, channel, told))
        limit = work.sampling.max_tokens
        reason = "length" if limit is not None and limit < len(pieces) else "stop"
        self.send(m.Finished(command.request_id, index, reason, m.Usage(7, len(pieces), cached_tokens=4)))

    def text(self, command: m.Run) -> str:
        work: Any = command.work
        prompt = work.prompt
        text = str(prompt.messages[-1]["content"]) if isinstance(prompt, m.ChatPrompt) else str(prompt.text)
        if text == "<show>":
            return json.dumps(dataclasses.asdict(command) | dataclasses.asdict(work))
        return json.dumps(self.log) if text == "<log>" else text

    def refused(self, request_id: str, ref: m.ModelRef) -> bool:
        owner, _, name = ref.id.partition("/")
        if owner == "refuse":
            self.send(m.Failed(request_id, name, f"Refused as {name}.", hint="Do this next.", param="messages"))
        elif owner == "die":
            die()
        return owner in ("refuse", "never")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
