"""How a model with media is run: as texts are, where that gives the same as its own forward; else by itself."""

from __future__ import annotations

import logging
from itertools import product
from typing import Any

from llamafarm_universal.failure import RequestFailed, without_paths
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.generate_runner import GenerateRunner
from llamafarm_universal.host.engines.text.multimodal.media_trial import MediaTrial
from llamafarm_universal.host.engines.text.multimodal.prompts import Delivery, MediaPrompts
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.messages.plan import LoadPlan

log = logging.getLogger(__name__)
_DELIVERIES: tuple[Delivery, ...] = ("apart", "together")


def prompts_of(plan: LoadPlan, module: Any, processor: Any) -> MediaPrompts | None:
    """The prompts of a model with media; None where its processor makes none of a picture: it reads texts alone then.

    Such are models that were tuned on texts, whose chat template leaves pictures out.
    """
    prompts = MediaPrompts(processor, module, plan.limits.media)
    try:
        prompts.sample()
    except Exception as error:  # noqa: BLE001 - whatever a template or a processor stumbles over
        log.warning("`%s` reads texts alone: its processor makes no prompt with media: %s", plan.ref.id, error)
        return None
    return prompts


def runner_with_media(module: Any, device: str, prompts: MediaPrompts) -> tuple[Runner, MediaPrompts]:
    """The runner of a model, and its prompts as that reads them. Raises RequestFailed for one that cannot be run."""
    for delivery, both_ways in product(_DELIVERIES if not module.config.is_encoder_decoder else (), (False, True)):
        read = prompts.read(delivery, both_ways=both_ways)
        try:
            return FlatRunner(module, device, MediaTrial(module, read)), read
        except RequestFailed:
            raise
        except Exception as reason:  # noqa: BLE001 - whatever a model cannot do so, it may do by itself
            looking = "looking both ways" if both_ways else "looking back"
            log.info("%s does not read its media %s, %s: %s", type(module).__name__, delivery, looking, reason)
    return _by_itself(module, device, prompts.read("whole"))


def _by_itself(module: Any, device: str, prompts: MediaPrompts) -> tuple[Runner, MediaPrompts]:
    runner = GenerateRunner(module, device)
    sample = prompts.sample()
    context = Context(list(sample.tokens), media=sample)
    if module.config.is_encoder_decoder:
        context = Context([module.generation_config.decoder_start_token_id], source=tuple(sample.tokens), media=sample)
    try:
        runner.run([Reading(context, context.unread)])
    except Exception as error:
        raise RequestFailed(
            "not_supported",
            f"{type(module).__name__} cannot be run here: {without_paths(str(error))}",
            hint="Look for another model that does the same.",
            param="model",
        ) from error
    return runner, prompts
