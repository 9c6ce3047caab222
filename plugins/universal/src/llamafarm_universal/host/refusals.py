"""Why a host cannot be asked what it is asked."""

from __future__ import annotations

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadedModel, ModelRef, Work
from llamafarm_universal.messages.work import user_names


def not_loaded(ref: ModelRef) -> RequestFailed:
    """The failure of a request for a model that is not here."""
    return RequestFailed("model_not_found", f"`{ref.id}` is not loaded.", param="model")


def refusal_of(work: Work, model: LoadedModel) -> RequestFailed | None:
    """Why a model cannot be given a work, where it cannot."""
    if work.operation in model.operations:
        return None
    asked = " or ".join(f"`{name}`" for name in user_names(work.operation))
    names = sorted(name for operation in model.operations for name in user_names(operation))
    able = ", ".join(f"`{name}`" for name in names)
    return RequestFailed(
        "not_supported",
        f"`{model.ref.id}` is loaded for the task `{model.task}`: it cannot do {asked}, only {able}.",
        hint="Use a model for what you ask; `model_type` says how a model that can do both is loaded.",
        param="model",
    )
