"""An adapter of peft on its base model.

It is merged into the weights when it is loaded: a step then costs what it costs the base model, and nothing of peft
stands between engine and model. Several adapters on one model in memory stand beside its weights instead (`lora/`),
which costs two more products of matrices for each layer that they change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages.plan import LoadPlan


def tokenizer_folder(plan: LoadPlan) -> Path:
    """Where the tokenizer is: an adapter may bring one of its own, with tokens or a chat template of its training."""
    if plan.adapter is not None and (plan.adapter / "tokenizer_config.json").is_file():
        return plan.adapter
    return plan.folder


def merged(module: Any, tokenizer: Any, plan: LoadPlan, adapter: Path) -> Any:
    """The module with the adapter's changes in its weights. Raises RequestFailed where they cannot be put there."""
    try:
        from peft import PeftModel
    except ImportError:
        raise _not_supported(plan, "needs `peft`, which is not installed", _install()) from None
    if len(tokenizer) > module.get_input_embeddings().weight.shape[0]:  # as peft does where tokens were added
        module.resize_token_embeddings(len(tokenizer))
    tuned = PeftModel.from_pretrained(module, str(adapter), torch_device=plan.device)
    config = tuned.peft_config["default"]
    if config.is_prompt_learning or not hasattr(tuned.base_model, "merge_and_unload"):
        kind = getattr(config.peft_type, "value", config.peft_type)
        raise _not_supported(plan, f"is of the kind {kind}, which cannot be merged into weights", None)
    # Read again for what peft tells in a warning alone: an adapter of another class of model changes nothing.
    if lacking := tuned.load_adapter(str(adapter), "default", torch_device=plan.device).missing_keys:
        raise _not_supported(
            plan,
            f"does not fit its base model, loaded for the task `{plan.task}`: it lacks {len(lacking)} weights, "
            f"`{lacking[0]}` first",
            "Was it trained for another task? `model_type` names it.",
        )
    return tuned.merge_and_unload(safe_merge=True)


def _not_supported(plan: LoadPlan, why: str, hint: str | None) -> RequestFailed:
    return RequestFailed("not_supported", f"The adapter `{plan.ref.id}` {why}.", hint=hint, param="model")


def _install() -> str:
    from llamafarm import pip_command

    return pip_command("llamafarm-universal[server]")
