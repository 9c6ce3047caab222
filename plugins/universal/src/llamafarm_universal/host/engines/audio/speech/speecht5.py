"""SpeechT5: letters become a spectrum, frame by frame, and a vocoder makes sound of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.engine import LoadPlan, RequestFailed
from llamafarm_universal.host.engines.audio.speech.presets import FOLDER, single_arrays
from llamafarm_universal.host.engines.audio.speech.speaker import Utterance, refuse_longer
from llamafarm_universal.host.models.loader import load_failure, refuse_missing
from llamafarm_universal.sound_kind import VOCODER

NOBODY = "default"
"""The voice of a folder without voices: a vector of zeros. Source: the example of transformers' `generate`."""

FRAMES_OF_TOKEN = 20.0
"""So many at most. Source: the default of transformers' `generate` for SpeechT5."""


class SpeechT5:
    """Its voices are vectors, in files of its folder. The vocoder is a part of the module."""

    has_speed = False

    def __init__(self, plan: LoadPlan, module: Any, tokenizer: Any) -> None:
        module.vocoder = _vocoder(plan)
        self.module = module
        self.rate = int(module.vocoder.config.sampling_rate)
        self._tokenizer = tokenizer
        self._most = int(module.config.max_text_positions)
        self._vectors = _vectors(plan, int(module.config.speaker_embedding_dim))
        self.voices: Sequence[str] = list(self._vectors)

    def ids(self, text: str) -> tuple[int, ...]:
        ids = tuple(self._tokenizer(text)["input_ids"])
        refuse_longer(ids, self._most)
        known = set(ids) - {self._tokenizer.unk_token_id, self._tokenizer.eos_token_id}
        return ids if text.strip() and known else ()

    def spoken(self, text: Utterance) -> Any:
        module, voice = self.module, self._vectors[self.voices[text.voice]]
        ids = torch.tensor([text.ids], device=module.device)
        frames = module.config.max_speech_positions * module.config.reduction_factor
        return module.generate(
            ids,
            speaker_embeddings=voice.to(module.device, module.dtype),
            vocoder=module.vocoder,
            maxlenratio=min(FRAMES_OF_TOKEN, frames / len(text.ids)),  # behind that it has no positions
        )


def _vocoder(plan: LoadPlan) -> Any:
    """The model that the plan names, else the one in the model's own folder. Raises RequestFailed."""
    from transformers import SpeechT5HifiGan

    folder = plan.vocoder_folder or plan.folder / VOCODER
    try:
        vocoder, told = SpeechT5HifiGan.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch_dtype(plan.dtype),
            device_map=plan.device,
            output_loading_info=True,
        )
    except Exception as error:
        raise load_failure(plan, error) from error
    refuse_missing(plan, vocoder, told["missing_keys"])
    return vocoder.eval().requires_grad_(False)


def _vectors(plan: LoadPlan, width: int) -> dict[str, torch.Tensor]:
    """The voices, each as [1, width]; nobody's where the folder has none. Raises RequestFailed for other widths."""
    arrays = single_arrays(plan)
    if not arrays:
        return {NOBODY: torch.zeros(1, width)}
    for name, array in arrays.items():
        if array.size != width:
            raise RequestFailed(
                "load_failed",
                f"The voice `{name}` of `{plan.ref.id}` has {array.size:,} numbers; the model reads {width:,}.",
                hint=f"Remove `{name}.npy` from `{FOLDER}/`, or replace it.",
                param="model",
            )
    return {name: torch.from_numpy(array.reshape(1, width).astype("float32")) for name, array in arrays.items()}
