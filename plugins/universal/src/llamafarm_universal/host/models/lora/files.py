"""An adapter of peft, read from its files for a model that is loaded: what does not fit is refused, not left out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.failure import RequestFailed, without_paths
from llamafarm_universal.host.models.lora.adapter import Adapter
from llamafarm_universal.host.models.lora.change import Change
from llamafarm_universal.host.models.lora.layer import BASE, BIASES, Layer, Unfit
from llamafarm_universal.messages.plan import ADAPTER_FILE, LoadPlan

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

_MERGE = "Merge it into its base model with peft's `merge_and_unload`, save that, and load it."
_PREFIX = "base_model.model."
_KINDS = (
    "lora_A.weight",
    "lora_B.weight",
    "lora_embedding_A",
    "lora_embedding_B",
    "lora_magnitude_vector",
    BASE,
    "weight",
    *sorted(BIASES, key=len, reverse=True),
)
"""How the names of weights end behind that of their layer; the longer one first where one ends as another does."""
_CHANGES_THE_BASE = "pissa|olora|corda|loftq|lora_ga|eva_base"
_NOT_DONE = (
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "velora_config",
    "monteclora_config",
    "kasa_config",
    "ensure_weight_tying",
)
"""Fields of adapter_config.json that make it more than low-rank changes."""


def read_adapter(plan: LoadPlan, module: Any, *, text_alone: bool = False) -> Adapter:
    """The adapter of a plan, for that model. Raises RequestFailed for one that does not fit, with what differs.

    text_alone: whether it takes effect where text is read alone, so that layers that see or hear cannot be changed.
    """
    assert plan.adapter is not None, "a plan without an adapter"
    config = _read_config(plan, plan.adapter.parent)
    _check_kind(plan, config)
    parts = _read_weights(plan, plan.adapter)
    changes = _changes(plan, module, config, parts)
    if text_alone:
        _refuse_senses(plan, module, changes)
    _note_base(plan, config)
    return Adapter(plan.named, changes, mixes=not _has_head(module, parts))


def _read_config(plan: LoadPlan, folder: Path) -> Mapping[str, Any]:
    config = json.loads((folder / ADAPTER_FILE).read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise RequestFailed("load_failed", f"{_the(plan)} has a {ADAPTER_FILE} that holds no JSON object.")
    return config


def _check_kind(plan: LoadPlan, config: Mapping[str, Any]) -> None:
    """Refuse what is no LoRA, and what LoRA is not all of."""
    kind = config.get("peft_type")
    if kind != "LORA":
        raise _cannot(plan, f"is of the kind {kind}: only LoRA can be put beside the weights of a loaded model", _MERGE)
    init = config.get("init_lora_weights", True)
    if isinstance(init, str) and re.match(_CHANGES_THE_BASE, init.lower()):
        raise _cannot(
            plan,
            f"was begun as {init}, which changes the base model's own weights",
            "Convert it when it is saved: `save_pretrained(…, path_initial_model_for_weight_conversion=…)`.",
        )
    for name in _NOT_DONE:
        if config.get(name):
            raise _cannot(plan, f"has `{name}`, which cannot be put beside the weights of a loaded model", _MERGE)


def _read_weights(plan: LoadPlan, path: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer, by their kind. Raises RequestFailed for those that are of no known kind."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except Exception as error:
        raise RequestFailed(
            "load_failed", f"{_the(plan)} cannot be read: {type(error).__name__}: {without_paths(str(error))}"
        ) from error
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind = next((kind for kind in _KINDS if name.endswith(f".{kind}")), None)
        if kind is None or not name.startswith(_PREFIX):
            raise _cannot(plan, f"holds `{name}`, which is no weight of LoRA", _MERGE)
        layer = name.removeprefix(_PREFIX).removesuffix(f".{kind}")
        parts.setdefault(layer, {})[kind] = tensor
    if not parts:
        raise _cannot(plan, "holds no weights", None)
    return parts


def _changes(
    plan: LoadPlan, module: Any, config: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Change]:
    """What is changed of each layer. All that does not fit is looked for first, so that it is told together."""
    own = dict(module.named_modules())
    absent = sorted(parts.keys() - own.keys())
    if absent:
        some = _some(absent)
        raise _cannot(plan, f"changes layers that `{plan.ref.id}` does not have: {some}", _OTHER_BASE)
    changes: dict[str, Change] = {}
    unfit: list[str] = []
    for name, tensors in parts.items():
        layer = Layer(own[name], torch_dtype(plan.dtype), plan.device)
        try:
            changes[name] = layer.change(tensors, _scale(config, name, tensors) * plan.ref.settings.adapter_scale)
        except Unfit as reason:
            unfit.append(f"`{name}` {reason}")
    if unfit:
        raise _cannot(plan, f"does not fit `{plan.ref.id}`: {_some(unfit, quoted=False)}", _OTHER_BASE)
    return changes


_OTHER_BASE = "Was it trained for another base model? Its adapter_config.json names it (`base_model_name_or_path`)."
_MOST_NAMED = 3


def _some(names: list[str], *, quoted: bool = True) -> str:
    told = [f"`{name}`" if quoted else name for name in names[:_MOST_NAMED]]
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ("; " if not quoted else ", ").join(told) + more


def _scale(config: Mapping[str, Any], layer: str, tensors: Mapping[str, Tensor]) -> float:
    """By what the product of a layer's two matrices is multiplied.

    Source: peft, LoraLayer.update_layer and get_pattern_key.
    """
    down = tensors.get("lora_A.weight", tensors.get("lora_embedding_A"))
    if down is None:
        return 1.0
    patterns = config.get("alpha_pattern") or {}
    pattern = next((each for each in patterns if re.match(rf"(.*\.)?({each})$", layer)), None)
    alpha = patterns[pattern] if pattern is not None else config.get("lora_alpha", 8)
    rank = max(1, len(down))
    return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)


def _has_head(module: Any, layers: Mapping[str, Any]) -> bool:
    """Whether the layer is changed that gives the logits: of some tokens alone, and in an order of their own."""
    head = module.get_output_embeddings() if hasattr(module, "get_output_embeddings") else None
    return head is not None and any(module.get_submodule(name) is head for name in layers)


def _refuse_senses(plan: LoadPlan, module: Any, layers: Mapping[str, Any]) -> None:
    """Refuse changes of layers outside of the text model: what they make of a picture is made once, for all texts."""
    reading = {id(layer) for layer in module.get_decoder().modules()}
    reading |= {id(module.get_input_embeddings()), id(module.get_output_embeddings())}
    others = sorted(name for name in layers if id(module.get_submodule(name)) not in reading)
    if others:
        raise _cannot(plan, f"changes layers that see or hear, and read no text: {_some(others)}", _MERGE)


def _note_base(plan: LoadPlan, config: Mapping[str, Any]) -> None:
    """Say that an adapter names another base model: it may be a copy, since the names of its layers and sizes fit."""
    named = config.get("base_model_name_or_path")
    if named and named != plan.ref.id:
        log.warning("%s says that it changes `%s`; it is put on `%s`.", _the(plan), named, plan.ref.id)


def _the(plan: LoadPlan) -> str:
    return f"The adapter `{plan.ref.settings.adapter}`"


def _cannot(plan: LoadPlan, why: str, hint: str | None) -> RequestFailed:
    return RequestFailed("not_supported", f"{_the(plan)} {why}.", hint=hint, param="adapter")
