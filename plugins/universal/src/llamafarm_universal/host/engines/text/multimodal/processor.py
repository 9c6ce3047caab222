"""The processor that lies beside a model: what makes arrays of pictures and sounds, and tokens of a conversation."""

from __future__ import annotations

import logging
from typing import Any

from llamafarm_universal.host.models.loader import load_failure
from llamafarm_universal.messages.plan import LoadPlan

log = logging.getLogger(__name__)


def read_processor(plan: LoadPlan, config: Any) -> Any:
    """A processor of transformers; None where the files have none, so that the model reads texts alone.

    config: of the model. Raises RequestFailed.
    """
    options = {"local_files_only": True, "trust_remote_code": plan.ref.settings.trust_remote_code}
    try:
        processor = _read(plan, config, options)
    except OSError as error:
        log.info("`%s` reads texts alone: it has no processor: %s", plan.ref.id, error)
        return None
    except Exception as error:
        raise load_failure(plan, error) from error
    return processor if hasattr(processor, "tokenizer") else None


def with_template(processor: Any) -> Any:
    """The processor's tokenizer, which knows the chat template wherever the files have it."""
    tokenizer = processor.tokenizer
    if not tokenizer.chat_template:
        tokenizer.chat_template = processor.chat_template
    return tokenizer


def _read(plan: LoadPlan, config: Any, options: dict[str, Any]) -> Any:
    from transformers import AutoProcessor
    from transformers.utils import is_torchvision_available

    kind = _class_of(config)
    if kind is not None and "video_processor" in kind.get_attributes() and not is_torchvision_available():
        log.info("`%s` sees no films: they need the library torchvision", plan.ref.id)
        return without_films(kind).from_pretrained(plan.folder, **options)
    return AutoProcessor.from_pretrained(plan.folder, **options)


def _class_of(config: Any) -> Any:
    """The class of a model's processor."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    return PROCESSOR_MAPPING.get(type(config), None)


def without_films(kind: Any) -> Any:
    """The processor's class without the part that reads films, which needs a library that is not there."""
    place = kind.get_attributes().index("video_processor")

    def get_attributes(_: Any) -> list[str]:
        return [name for name in kind.get_attributes() if name != "video_processor"]

    def arguments(read: Any, *given: Any, **named: Any) -> list[Any]:
        own: list[Any] = kind._get_arguments_from_pretrained.__func__(read, *given, **named)
        return [*own[:place], None, *own[place:]]

    members = {
        "get_attributes": classmethod(get_attributes),
        "_get_arguments_from_pretrained": classmethod(arguments),
    }
    return type(kind.__name__, (kind,), members)
