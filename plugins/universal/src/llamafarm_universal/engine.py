"""What an engine is: the only module that the distribution of an engine imports.

An engine executes one kind of model. Its distribution names an `EngineSpec` as an entry point of the group
`llamafarm_universal.engines`; the module that holds it imports nothing heavy, since every process of the runtime reads
it. What executes one loaded model is an object that `load` returns:

    Run(work) -> prepare(work), in a worker thread -> submit(request_id, work, prepared, emit) -> step(), step(), …

The host calls everything of it from one thread, except `load` and `prepare`. An engine never blocks there: work is done
in `step`, a bounded piece at a time, so that all models and streams advance in turn and a cancelled request is gone
before the next step. What a step does for how many requests at once is the engine's own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from llamafarm_universal.failure import RequestFailed, explained, refused
from llamafarm_universal.media.decoder import Decoder, Picture, Sound, decoder_of
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages import (
    Accepted,
    Blob,
    CaptionPictures,
    Channel,
    ChatPrompt,
    Classes,
    Classify,
    ClassifyPictures,
    ClassifySounds,
    Count,
    CountTexts,
    Depth,
    DetectObjects,
    Embed,
    EmbedPictures,
    Entity,
    EstimateDepth,
    Failed,
    Features,
    FindEntities,
    Finished,
    Found,
    Generate,
    InputType,
    Label,
    LabelPictures,
    LoadedModel,
    LoadSettings,
    ModelRef,
    Object,
    PartKind,
    PicturePart,
    PictureParts,
    PicturesWork,
    Piece,
    Preview,
    Progress,
    Sampling,
    Score,
    Scores,
    SegmentPictures,
    SoundClasses,
    Speak,
    Strategy,
    Structure,
    TextPrompt,
    TokenLogprob,
    ToolChoice,
    Transcribe,
    Translate,
    Usage,
    Work,
)
from llamafarm_universal.messages.plan import Abilities, Candidate, Fit, Limits, LoadPlan
from llamafarm_universal.meter import Meter

__all__ = [
    "ENGINES_GROUP",
    "Abilities",
    "Accepted",
    "Blob",
    "Candidate",
    "CaptionPictures",
    "Channel",
    "ChatPrompt",
    "Classes",
    "Classify",
    "ClassifyPictures",
    "ClassifySounds",
    "Count",
    "CountTexts",
    "Decoder",
    "Depth",
    "DetectObjects",
    "Embed",
    "EmbedPictures",
    "Emit",
    "Engine",
    "EngineSpec",
    "Entity",
    "EstimateDepth",
    "Failed",
    "Features",
    "FilePatterns",
    "FindEntities",
    "Finished",
    "Fit",
    "Found",
    "Generate",
    "InputType",
    "Label",
    "LabelPictures",
    "Limits",
    "LoadPlan",
    "LoadSettings",
    "LoadedModel",
    "MediaSettings",
    "Meter",
    "ModelRef",
    "Object",
    "PartKind",
    "Picture",
    "PicturePart",
    "PictureParts",
    "PicturesWork",
    "Piece",
    "Preview",
    "Progress",
    "RequestFailed",
    "Result",
    "Sampling",
    "Score",
    "Scores",
    "SegmentPictures",
    "Sound",
    "SoundClasses",
    "Speak",
    "SpoolFolder",
    "Strategy",
    "Structure",
    "TakesAdapters",
    "TextPrompt",
    "TokenLogprob",
    "ToolChoice",
    "Transcribe",
    "Translate",
    "Usage",
    "Work",
    "decoder_of",
    "explained",
    "refused",
]

ENGINES_GROUP = "llamafarm_universal.engines"
"""The group of entry points that name engines."""

Result = Accepted | Progress | Preview | Piece | Finished | Failed
"""What an engine tells of a request."""
Emit = Callable[[Result], None]


@dataclass(frozen=True)
class FilePatterns:
    """Which files of a repository an engine needs, as shell patterns of their paths; `leave` wins."""

    take: tuple[str, ...]
    leave: tuple[str, ...] = ()


class Engine(Protocol):
    """Executes one loaded model. model: what is known of it, with the operations that it can do.

    A work of another operation is refused before the engine sees it.
    """

    model: LoadedModel

    def prepare(self, work: Work) -> Any:
        """What comes before the model: templates, tokenizers, decoding of media. Called in a worker thread.

        Returns what `submit` gets. Raises RequestFailed for a work that is wrong, or too large.
        """
        ...

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit) -> None:
        """Queue a work: emits Accepted now, the rest from `step`; or its Finished at once. Raises RequestFailed."""
        ...

    def cancel(self, request_id: str) -> None:
        """Forget a request; nothing more is emitted for it. Unknown ids are ignored."""
        ...

    def step(self) -> bool:
        """Do one bounded piece of work. Returns whether more remains. A failing request ends with a Failed event."""
        ...

    def close(self) -> None:
        """Drop the weights and everything else that holds memory. `step` is not called after that."""
        ...


@runtime_checkable
class TakesAdapters(Protocol):
    """An engine that changes its model by adapters, each for some of its requests: see `EngineSpec.adapts`."""

    def read_adapter(self, plan: LoadPlan) -> Any:
        """The adapter in `plan.adapter`, ready for the loaded weights. Called in a thread. Raises RequestFailed."""
        ...

    def adapted(self, plan: LoadPlan, adapter: Any) -> Engine:
        """What does the requests with it; its steps are those of this engine, its `close` drops the adapter."""
        ...


@dataclass(frozen=True)
class EngineSpec:
    """An engine, as its distribution declares it.

    name: what users write as `engine`; there may be several of one name, for different tasks. tasks: what its models
    do, as users write it in `model_type`. wants: the files that it needs of a model. fit: what a model needs of memory,
    None where it is not for this engine; it reads files, and imports nothing heavy. load: reads the weights, in a
    thread; the grant is how many bytes it may use beside them. Both raise RequestFailed. isolated: its steps are long,
    so that its models have a host of their own, together, and hold up no others. adapters: it heeds the adapter of a
    candidate; others are not asked about one that has one. quantizes, drafts: likewise for a `quantization` and a
    `draft_model` in its settings. adapts: what it loads takes adapters later, too (`TakesAdapters`). works: for
    each operation that the runtime does not know itself, what makes a work of the fields of a request's `input`, of
    whatever JSON they are; it raises RequestFailed (see `refused`) for those that are wrong, missing or unknown.
    """

    name: str
    tasks: tuple[str, ...]
    wants: FilePatterns
    fit: Callable[[Candidate], Fit | None]
    load: Callable[[LoadPlan, int], Engine]
    isolated: bool = False
    adapters: bool = False
    adapts: bool = False
    quantizes: bool = False
    drafts: bool = False
    works: Mapping[str, Callable[[Mapping[str, Any]], Work]] = field(default_factory=dict)
    abilities: Callable[[Candidate], Abilities] | None = None
