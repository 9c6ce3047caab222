"""Draft models: small ones that guess what another model will say, and are named in its settings."""

from __future__ import annotations

from pathlib import Path

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.store.adapters import is_adapter
from llamafarm_universal.task import is_encoder_decoder

PARAM = "draft_model"


def draft_of(ref: ModelRef) -> ModelRef | None:
    """The draft model of a model, on its device and with as many bits; None where its settings name none.

    What the user trusts is the model itself: the code of another one is somebody else's.
    """
    settings = ref.settings
    if settings.draft_model is None:
        return None
    return ModelRef(
        settings.draft_model,
        LoadSettings(device=settings.device, dtype=settings.dtype, quantization=settings.quantization),
    )


def refuse_adapter(draft: ModelRef, folder: Path) -> None:
    """Raises RequestFailed for a draft model that is an adapter of another one."""
    if is_adapter(folder):
        raise _cannot_draft(draft, "it is an adapter.")


def refuse_other_task(plan: LoadPlan) -> None:
    """Raises RequestFailed for a draft model that does not go on with a text."""
    if plan.task != "text":
        raise _cannot_draft(plan.ref, f"it is a model for the task `{plan.task}`, not `text`.")
    if is_encoder_decoder(plan.config):
        raise _cannot_draft(plan.ref, "it is an encoder-decoder, and does not go on with a text.")


def _cannot_draft(ref: ModelRef, why: str) -> RequestFailed:
    hint = "Name a smaller model of the same family, or leave `draft_model` out."
    return RequestFailed("not_supported", f"`{ref.id}` cannot draft: {why}", hint=hint)
