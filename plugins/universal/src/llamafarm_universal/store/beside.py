"""Adapters beside the weights of a loaded model: changes that a model's settings name, for some of its requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from glob import escape
from pathlib import Path

from llamafarm_universal.failure import RequestFailed, about
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import ADAPTER_FILE, ADAPTER_WEIGHTS, CONFIG_FILES, LoadPlan
from llamafarm_universal.placement import BYTES
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.safety import LocalFolder, parse_model_id, refuse_pickle

PARAM = "adapter"
DIFFUSERS_WEIGHTS = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file where nothing else is said."""
SUFFIX = ".safetensors"
_MOST_LISTED = 12

OF_THE_BASE = ".base_layer.weight"
"""In the names of the model's own weights, which peft saves with changes of embeddings: they are compared, not kept."""


def adapter_of(ref: ModelRef) -> ModelRef | None:
    """The adapter that a model's settings name, as something that has files; None where they name none."""
    settings = ref.settings
    if settings.adapter is None:
        return None
    return ModelRef(settings.adapter, LoadSettings(revision=settings.adapter_revision, engine=settings.engine))


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
    with about(PARAM):
        weights = _file_of(name, folder, is_pipeline=plan.task == "diffusion")
        numbers = count_parameters(weights.parent, escape(weights.name), leave=OF_THE_BASE)
    return plan.adapted(ref, weights, numbers, numbers * BYTES[plan.dtype])


def _file_of(name: str, place: Path, *, is_pipeline: bool) -> Path:
    """The file of an adapter's weights: what is named, or in the folder that is named. Raises RequestFailed."""
    if not place.is_file():
        file = place / weights_of(name, place, is_pipeline=is_pipeline)
        refuse_remote_code(name, file.parent, trusted=False)
        return file
    if place.suffix != SUFFIX:
        raise _refused(f"`{name}` is no file of safetensors.")
    if is_pipeline:
        return place
    if not (place.parent / ADAPTER_FILE).is_file():
        raise _refused(f"`{name}` is no adapter of peft: it has no {ADAPTER_FILE} beside it.")
    refuse_remote_code(name, place.parent, trusted=False)
    return place


def weights_of(name: str, folder: Path, *, is_pipeline: bool) -> str:
    """The path of the file, within a folder, that holds an adapter's weights. Raises RequestFailed.

    is_pipeline: it changes a pipeline of diffusers, whose adapters are one file of any name.
    """
    if any((folder / file).is_file() for file in CONFIG_FILES):
        raise _refused(f"`{name}` is a model of its own, and no adapter.")
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob(f"*{SUFFIX}")]
    files = adapter_files(paths)
    if not is_pipeline:
        files = [file for file in files if _is_of_peft(folder / file)]
    if len(files) == 1:
        return files[0]
    if files:
        raise several_adapters(name, files)
    refuse_pickle(name, folder)
    lacking = ADAPTER_FILE if (folder / ADAPTER_WEIGHTS).is_file() else ADAPTER_WEIGHTS
    raise _refused(f"`{name}` is no adapter of peft: it has no {lacking}.")


def adapter_files(paths: Iterable[str]) -> list[str]:
    """Which of the files in a repository or folder may be the adapter that is meant where none is named."""
    files = sorted(path for path in paths if path.endswith(SUFFIX))
    at_top = [file for file in files if "/" not in file]
    known = next((name for name in (ADAPTER_WEIGHTS, DIFFUSERS_WEIGHTS) if name in at_top), None)
    return [known] if known else at_top or files


def several_adapters(name: str, files: Sequence[str]) -> RequestFailed:
    """Nobody knows which of these is meant."""
    listed = ", ".join(files[:_MOST_LISTED]) + (f" and {len(files) - _MOST_LISTED} more" * (len(files) > _MOST_LISTED))
    is_local = isinstance(parse_model_id(name), LocalFolder)
    failure = _refused(f"`{name}` holds several adapters: {listed}.")
    failure.hint = f"Name one of them: `{name.rstrip('/')}{'/' if is_local else ':'}{files[0]}`."
    return failure


def _is_of_peft(file: Path) -> bool:
    return file.name == ADAPTER_WEIGHTS and (file.parent / ADAPTER_FILE).is_file()


def _refused(message: str) -> RequestFailed:
    return RequestFailed("not_supported", message, param=PARAM)
