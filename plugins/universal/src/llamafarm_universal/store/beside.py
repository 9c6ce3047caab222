"""Adapters beside the weights of a loaded model: changes that a model's settings name, for some of its requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import ADAPTER_FILE, ADAPTER_WEIGHTS, CONFIG_FILES, LoadPlan
from llamafarm_universal.placement import BYTES
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.safety import refuse_pickle

PARAM = "adapter"
DIFFUSERS_WEIGHTS = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file where nothing else is said."""

OF_THE_BASE = ".base_layer.weight"
"""In the names of the model's own weights, which peft saves with changes of embeddings: they are compared, not kept."""


def adapter_of(ref: ModelRef) -> ModelRef | None:
    """The adapter that a model's settings name, as something that has files; None where they name none."""
    settings = ref.settings
    if settings.adapter is None:
        return None
    return ModelRef(settings.adapter, LoadSettings(revision=settings.adapter_revision, engine=settings.engine))


@contextmanager
def about_adapter() -> Iterator[None]:
    """What is refused within is the setting `adapter`."""
    try:
        yield
    except RequestFailed as failure:
        failure.param = PARAM
        raise


def adapted_plan(plan: LoadPlan, ref: ModelRef, folder: Path, *, adapts: bool) -> LoadPlan:
    """The plan to put an adapter on the model of a plan, once that is loaded. Reads no weights. Raises RequestFailed.

    ref: the model with the adapter in its settings. adapts: whether the model's engine takes adapters.
    """
    name = str(ref.settings.adapter)
    if not adapts:
        raise RequestFailed(
            "not_supported",
            f"`{ref.id}` takes no adapters: its task is `{plan.task}`, and its engine `{plan.engine}` has none there.",
            hint="Adapters are for models that generate text, and for those that draw.",
            param=PARAM,
        )
    with about_adapter():
        weights = _file_of(name, folder, is_pipeline=plan.task == "diffusion")
        numbers = count_parameters(weights.parent, escape(weights.name), leave=OF_THE_BASE)
    return plan.adapted(ref, weights, numbers, numbers * BYTES[plan.dtype])


def _file_of(name: str, place: Path, *, is_pipeline: bool) -> Path:
    """The file of an adapter's weights: what is named, or in the folder that is named. Raises RequestFailed."""
    if not place.is_file():
        refuse_remote_code(name, place, trusted=False)
        return place / weights_of(name, place, is_pipeline=is_pipeline)
    if not is_pipeline:
        raise _refused(f"`{name}` is a file: name the folder of the adapter, which has a {ADAPTER_FILE} too.")
    return place


def weights_of(name: str, folder: Path, *, is_pipeline: bool) -> str:
    """The name of the file that holds an adapter's weights. Raises RequestFailed.

    is_pipeline: it changes a pipeline of diffusers, whose adapters are one file of any name.
    """
    if any((folder / file).is_file() for file in CONFIG_FILES):
        raise _refused(f"`{name}` is a model of its own, and no adapter.")
    if (folder / ADAPTER_WEIGHTS).is_file() and ((folder / ADAPTER_FILE).is_file() or is_pipeline):
        return ADAPTER_WEIGHTS
    if not is_pipeline:
        refuse_pickle(name, folder)
        lacking = ADAPTER_FILE if (folder / ADAPTER_WEIGHTS).is_file() else ADAPTER_WEIGHTS
        raise _refused(f"`{name}` is no adapter of peft: it has no {lacking}.")
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    if DIFFUSERS_WEIGHTS in files:
        return DIFFUSERS_WEIGHTS
    if not files:
        refuse_pickle(name, folder)
    if len(files) > 1:
        raise _refused(f"`{name}` holds several files of weights ({', '.join(files)}): give each a folder of its own.")
    return files[0]


def _refused(message: str) -> RequestFailed:
    return RequestFailed("not_supported", message, param=PARAM)
