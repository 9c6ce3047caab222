"""Vocoders: models that make sound of the spectra that another one makes, and that are fetched with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed, about
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.placement import BYTES
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.safety import refuse_pickle
from llamafarm_universal.sound_kind import VOCODER, kind_of

PARAM = "vocoder"
USUAL = "microsoft/speecht5_hifigan"
"""The vocoder of the models that SpeechT5's authors have published, and of those that others have trained further."""
_HINT = (
    "A model without a vocoder makes no sound: `vocoder` names another one, by its id of the hub or its folder, and "
    f"`vocoder_revision` its branch; files in `{VOCODER}/` of the model's own folder are used, too."
)


def vocoder_of(ref: ModelRef, folder: Path, config: Mapping[str, Any]) -> ModelRef | None:
    """What makes sound of a model's spectra: named in its settings, else the usual one where its folder has none.

    None where there is one in its folder, and of models that need none. Raises RequestFailed where those are told one.
    What the user trusts is the model itself: the code of another one is somebody else's.
    """
    named = ref.settings.vocoder
    if kind_of(config) != "speecht5":
        if named is not None:
            raise RequestFailed(
                "not_supported", f"`{ref.id}` takes no vocoder.", hint="Only models that make spectra do.", param=PARAM
            )
        return None
    if named is None and (folder / VOCODER / "config.json").is_file():
        return None
    return ModelRef(named or USUAL, LoadSettings(revision=ref.settings.vocoder_revision))


@contextmanager
def about_vocoder() -> Iterator[None]:
    """What is refused within is the setting `vocoder`, and says how another one is had."""
    try:
        with about(PARAM):
            yield
    except RequestFailed as failure:
        failure.hint = f"{failure.hint} {_HINT}" if failure.hint else _HINT
        raise


def voiced_plan(plan: LoadPlan, vocoder: ModelRef, folder: Path) -> LoadPlan:
    """The plan to load a model together with its vocoder. Reads no weights. Raises RequestFailed."""
    with about_vocoder():
        refuse_remote_code(vocoder.id, folder, trusted=False)
        refuse_pickle(vocoder.id, folder)
        return plan.voiced_by(vocoder, folder, count_parameters(folder) * BYTES[plan.dtype])
