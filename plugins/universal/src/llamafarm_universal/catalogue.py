"""The engines that are installed: entry points of the group `llamafarm_universal.engines`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from importlib_metadata import EntryPoint, entry_points

from llamafarm_universal.engine import ENGINES_GROUP, EngineSpec, FilePatterns
from llamafarm_universal.failure import RequestFailed, refused, without_paths
from llamafarm_universal.messages import Work
from llamafarm_universal.messages.plan import Candidate, Fit

log = logging.getLogger(__name__)
DEFAULT_ENGINE = "torch"
"""What is asked first about a model whose settings name no engine."""


@dataclass(frozen=True)
class Discovered:
    """Every engine, those of DEFAULT_ENGINE first.

    owners: the distribution of each, in the same order. broken: why others are not among them, a sentence for each.
    """

    specs: tuple[EngineSpec, ...]
    owners: tuple[str, ...]
    broken: tuple[str, ...]


@cache
def discovered() -> Discovered:
    """What is installed. An engine that cannot be imported takes nothing from the others: it is told in the log."""
    points = {(point.name, point.value): point for point in entry_points(group=ENGINES_GROUP)}  # listed twice at times
    loaded = [(_loaded(point), _owner(point)) for _, point in sorted(points.items())]
    whole = [(spec, owner) for spec, owner in loaded if isinstance(spec, EngineSpec)]
    whole.sort(key=lambda each: each[0].name != DEFAULT_ENGINE)
    broken = tuple(cause for cause, _ in loaded if isinstance(cause, str))
    for cause in broken:
        log.warning("%s", cause)
    return Discovered(tuple(spec for spec, _ in whole), tuple(owner for _, owner in whole), broken)


def installed() -> tuple[EngineSpec, ...]:
    """Every engine, those of DEFAULT_ENGINE first."""
    return discovered().specs


def tasks() -> list[str]:
    """What the engines here do."""
    return sorted({task for spec in installed() for task in spec.tasks})


def engines() -> list[str]:
    """The names of the engines here."""
    return list(dict.fromkeys(spec.name for spec in installed()))


def spec_of(engine: str, task: str) -> EngineSpec:
    """The engine that a plan names."""
    return next(spec for spec in installed() if spec.name == engine and task in spec.tasks)


def wanted_by(engine: str | None) -> FilePatterns:
    """The files that an engine wants of a repository, whatever the task; None: DEFAULT_ENGINE.

    Nothing that one of its specs takes is left out because another one leaves it. Raises RequestFailed.
    """
    patterns = [spec.wants for spec in _called(engine or DEFAULT_ENGINE)]
    take = dict.fromkeys(pattern for wants in patterns for pattern in wants.take)
    leave = [pattern for pattern in patterns[0].leave if all(pattern in wants.leave for wants in patterns)]
    return FilePatterns(tuple(take), tuple(leave))


def choose(candidate: Candidate) -> tuple[EngineSpec, Fit]:
    """The engine that executes a model: the one that its settings name, else the first that takes it.

    One that fails over the question does not keep the others from being asked. Raises RequestFailed where none takes
    the model: it names the engines that have failed, else what there is.
    """
    wanted = candidate.ref.settings.engine
    failures: list[RequestFailed] = []
    for spec in installed() if wanted is None else _called(wanted):
        if not _heeds(spec, candidate):
            continue
        fit = _fit(spec, candidate)
        if isinstance(fit, Fit):
            return spec, fit
        failures += [fit] if fit is not None else []
    if failures:
        raise failures[0]
    if candidate.adapter is not None:
        raise RequestFailed(
            "not_supported",
            f"No engine here puts the adapter `{candidate.ref.id}` on its base model for the task `{candidate.task}`.",
            hint="Merge the adapter into its base model with peft's `merge_and_unload`, save that, and load it.",
            param="model",
        )
    if candidate.ref.settings.draft_model is not None:
        raise RequestFailed(
            "not_supported",
            f"No engine here guesses ahead what `{candidate.ref.id}` says, for the task `{candidate.task}`.",
            hint="Only models that generate text have a `draft_model`: leave it out.",
            param="draft_model",
        )
    if candidate.ref.settings.quantization != "none":
        raise RequestFailed(
            "not_supported",
            f"No engine here quantises `{candidate.ref.id}` for the task `{candidate.task}`.",
            hint="Load it with `quantization: none`.",
            param="quantization",
        )
    needed = f", which is a model for the task `{candidate.task}`." if candidate.task else "."
    hint = f"The engines here do: {', '.join(tasks())}. `model_type` names the task where that misleads."
    raise RequestFailed(
        "not_supported",
        f"No engine here executes `{candidate.ref.id}`: its configuration says {_described(candidate)}{needed}",
        hint=_with_broken(hint),
        param="model",
    )


def work_of(operation: str, fields: Mapping[str, Any]) -> Work:
    """The work that a request's fields mean, as the engine reads them that has declared the operation.

    Raises RequestFailed where none has, or two have, and for fields that are wrong.
    """
    declared = {spec.works[operation]: spec for spec in installed() if operation in spec.works}
    if not declared:
        known = sorted({f"`{name}`" for spec in installed() for name in spec.works})
        hint = f"There is {', '.join(known)}." if known else "Chats, embeddings and the like have routes of their own."
        raise RequestFailed(
            "not_supported",
            f"No engine here has declared an operation `{operation}`.",
            hint=_with_broken(hint),
        )
    if len(declared) > 1:
        names = " and ".join(f"`{spec.name}`" for spec in declared.values())
        raise RequestFailed(
            "not_supported",
            f"The engines {names} have both declared the operation `{operation}`.",
            hint="Uninstall one of them.",
        )
    [read] = declared
    return read(fields)


def _heeds(spec: EngineSpec, candidate: Candidate) -> bool:
    """Whether an engine does all that a candidate's settings ask for."""
    settings = candidate.ref.settings
    heeds_quantization = spec.quantizes or settings.quantization == "none"
    heeds_draft = spec.drafts or settings.draft_model is None
    return (spec.adapters or candidate.adapter is None) and heeds_quantization and heeds_draft


def _fit(spec: EngineSpec, candidate: Candidate) -> Fit | RequestFailed | None:
    """What an engine says of a model, or why it could say nothing. Raises RequestFailed where it refuses the model."""
    try:
        fit = spec.fit(candidate)
        if fit is None or isinstance(fit, Fit):
            return fit
        raise TypeError(f"`fit` returned a {type(fit).__name__}")
    except RequestFailed:
        raise
    except (Exception, SystemExit) as error:
        named = f"The engine `{spec.name}` of {_owner_of(spec)}"
        log.error("%s fails over `%s`", named, candidate.ref.id, exc_info=error)
        return RequestFailed(
            "load_failed",
            f"{named} fails over `{candidate.ref.id}`: {type(error).__name__}: {without_paths(str(error))}",
            hint="Is the model's configuration whole? Else it is a fault of that distribution; `engine` names another.",
            param="model",
        )


def _called(name: str) -> list[EngineSpec]:
    specs = [spec for spec in installed() if spec.name == name]
    if not specs:
        hint = _with_broken(f"Engines installed: {', '.join(engines())}.")
        raise refused(f"No engine is called `{name}`.", "engine", hint=hint)
    return specs


def _loaded(point: EntryPoint) -> EngineSpec | str:
    """The engine of an entry point, or why there is none."""
    named = f"Engine `{point.name}` ({point.value})"
    try:
        spec = point.load()
    except (Exception, SystemExit) as error:
        log.debug("%s cannot be imported", named, exc_info=error)
        return f"{named} cannot be imported: {type(error).__name__}: {error}."
    return spec if isinstance(spec, EngineSpec) else f"{named} is no EngineSpec."


def _owner(point: EntryPoint) -> str:
    """The distribution of an entry point, else the package that it leads to."""
    return point.dist.name if point.dist is not None else point.module.partition(".")[0]


def _owner_of(spec: EngineSpec) -> str:
    known = discovered()
    owners = (owner for each, owner in zip(known.specs, known.owners, strict=True) if each is spec)
    return next(owners, spec.fit.__module__.partition(".")[0])


def _with_broken(hint: str) -> str:
    """A hint, and which engines are missing because they are broken."""
    return " ".join([hint, *discovered().broken])


def _described(candidate: Candidate) -> str:
    architectures = candidate.config.get("architectures") or [""]
    model_type = f"model type `{candidate.config.get('model_type')}`"
    return f"architecture `{architectures[0]}`, {model_type}" if architectures[0] else f"no architecture, {model_type}"
