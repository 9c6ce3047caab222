"""From a folder to weights in memory: safetensors only, no code of the model's own unless trusted."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.failure import RequestFailed, is_beyond_repair, is_out_of_memory, without_paths
from llamafarm_universal.gguf import is_gguf
from llamafarm_universal.host.models.adapters import merged, tokenizer_folder
from llamafarm_universal.host.models.gguf_files import gguf_failure, read_gguf
from llamafarm_universal.host.models.linears import accelerate, bytes_of_forms
from llamafarm_universal.messages import LoadedModel
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.units import readable

log = logging.getLogger(__name__)
_MOST_NAMED = 3


@dataclass
class Weights:
    """A loaded model, shared by the engines that execute it.

    parameters: numbers in its weights, as trained. likeness: see LoadedModel.
    """

    plan: LoadPlan
    module: Any
    tokenizer: Any
    parameters: int
    likeness: float | None = None

    @property
    def memory_bytes(self) -> int:
        """Bytes of all parameters and buffers, shared ones counted once, and of weights in other forms."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
        return int(sum(storages.values())) + bytes_of_forms(self.module)

    def describe(
        self,
        operations: Iterable[str],
        features: Iterable[str],
        context_length: int | None = None,
        dimensions: int | None = None,
    ) -> LoadedModel:
        """What is known of the loaded model: what its plan and its weights say, and what its engine adds."""
        plan = self.plan
        return LoadedModel(
            ref=plan.ref,
            task=plan.task,
            engine=plan.engine,
            device=plan.device,
            dtype=plan.dtype,
            parameters=self.parameters,
            memory_bytes=self.memory_bytes,
            operations=frozenset(operations),
            context_length=context_length,
            dimensions=dimensions,
            features=frozenset(features),
            likeness=self.likeness,
        )


def load_weights(plan: LoadPlan, auto_class: Any, *, unread: tuple[str, ...] = (), reads_text: bool = True) -> Weights:
    """Read a transformers model and its tokenizer, and make its weights ready.

    auto_class, unread, reads_text: as of `read_weights`. Raises RequestFailed, also where the files lack weights.
    """
    return ready_weights(plan, *read_weights(plan, auto_class, unread=unread, reads_text=reads_text))


def read_weights(
    plan: LoadPlan, auto_class: Any, *, unread: tuple[str, ...] = (), reads_text: bool = True
) -> tuple[Any, Any]:
    """A transformers model, as its author computes it, and its tokenizer; None where it reads no text.

    auto_class: such as AutoModelForCausalLM. unread: how the names of weights begin that nothing is computed with, so
    that they may be missing. Raises RequestFailed, also where the files lack weights.
    """
    from transformers import AutoTokenizer

    common = {"local_files_only": True, "trust_remote_code": plan.ref.settings.trust_remote_code}
    weights = {"dtype": torch_dtype(plan.dtype), "device_map": plan.device, "output_loading_info": True}
    try:
        if is_gguf(plan.folder):
            module, info, tokenizer = read_gguf(plan.folder, auto_class, weights, common)
        else:
            tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder(plan), **common) if reads_text else None
            module, info = auto_class.from_pretrained(plan.folder, use_safetensors=True, **weights, **common)
        refuse_missing(plan, module, info["missing_keys"], unread)
        if plan.adapter is not None:
            module = merged(module, tokenizer, plan, plan.adapter)
    except RequestFailed:
        raise
    except Exception as error:
        known = gguf_failure(plan, error) if is_gguf(plan.folder) else None
        raise known or load_failure(plan, error) from error
    return module.eval().requires_grad_(False), tokenizer


def ready_weights(plan: LoadPlan, module: Any, tokenizer: Any, model: Any = None) -> Weights:
    """The weights as engines use them: with as many bits as asked, and on a CPU in the forms that it computes fastest.

    model: the transformers model inside, where the module is another library's. Raises RequestFailed where it cannot be
    quantised.
    """
    parameters = sum(parameter.numel() for parameter in module.parameters())
    quantization = plan.ref.settings.quantization
    made = accelerate(module if model is None else model, quantization=quantization, device=plan.device)
    if made.likeness is not None:
        log.info("`%s` in %s: the cosine to its own answers is %.5f", plan.ref.id, quantization, made.likeness)
    return Weights(plan, module, tokenizer, parameters, made.likeness)


def refuse_missing(plan: LoadPlan, module: Any, missing: Collection[str], unread: tuple[str, ...] = ()) -> None:
    """Refuse a model whose files lack weights, which are random then: nobody could tell its answers from real ones.

    unread: how the names of weights begin that nothing is computed with. Raises RequestFailed.
    """
    lacking = sorted(name for name in missing if not name.startswith(unread))
    if not lacking:
        return
    named = ", ".join(f"`{name}`" for name in lacking[:_MOST_NAMED])
    more = f" and {len(lacking) - _MOST_NAMED:,} more" if len(lacking) > _MOST_NAMED else ""
    raise RequestFailed(
        "load_failed",
        f"`{plan.ref.id}` is not whole: its files lack weights of `{type(module).__name__}`: {named}{more}.",
        hint=f"Use a model that was trained for the task `{plan.task}`. {_remedy(plan)}",
        param="model",
    )


def unmarked(module: Any) -> list[str]:
    """The names of a transformers model's parameters that came from no file, where another library has loaded it.

    transformers marks each parameter that did, and lists for each architecture what it makes anew by itself.
    """
    marks = {name: getattr(parameter, "_is_hf_initialized", False) for name, parameter in module.named_parameters()}
    if not any(marks.values()):  # a version that marks none says nothing
        return []
    made_anew = [re.compile(pattern) for pattern in getattr(module, "_keys_to_ignore_on_load_missing", None) or ()]
    return [name for name, mark in marks.items() if not mark and not any(each.search(name) for each in made_anew)]


def load_failure(plan: LoadPlan, error: Exception) -> RequestFailed:
    """Why weights could not be read."""
    if is_out_of_memory(error):
        return RequestFailed(
            "out_of_memory",
            f"{plan.named} needs about {readable(plan.memory_bytes)} and does not fit in memory.",
            hint="Use a smaller model, dtype fp16 or bf16, or device cpu.",
        )
    if isinstance(error, ImportError):
        return RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` needs a library that is not installed here: {' '.join(str(error).split())}",
            hint="Install it beside the runtime. Some authors publish a `revision` that does without.",
            param="model",
        )
    log.error("`%s` could not be loaded from %s", plan.ref.id, plan.folder, exc_info=error)
    failure = RequestFailed(
        "load_failed",
        f"`{plan.ref.id}` could not be loaded: {type(error).__name__}: {without_paths(str(error))}",
        hint=_remedy(plan),
    )
    failure.ends_host = is_beyond_repair(error)
    return failure


def _remedy(plan: LoadPlan) -> str:
    """What helps where the files are damaged: a copy of a hub's can be fetched again, the user's own folder cannot."""
    if isinstance(parse_model_id(plan.ref.id), HubId):
        return "If its files are damaged, delete them (`lf models rm`) to have them fetched again."
    return "Are its files whole, and saved by `save_pretrained` or the like?"
