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

VOCODER = "vocoder"
"""The folder of a model that holds its vocoder, as pipelines of diffusers hold their parts."""

FRAMES_OF_TOKEN = 20.0
"""So many at most. Source: the default of transformers' `generate` for SpeechT5."""


class SpeechT5:
    """Its voices are vectors, in files of its folder. The vocoder lies there too, and is a part of the module."""

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
    """Raises RequestFailed where the model's folder has none."""
    from transformers import SpeechT5HifiGan

    folder = plan.folder / VOCODER
    if not (folder / "config.json").is_file():
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` makes spectra, and there is no vocoder in its folder that makes sound of them.",
            hint=f"Name a folder of your own: a copy of the model with the files of its vocoder, such as "
            f"microsoft/speecht5_hifigan, in `{VOCODER}/`, and a voice at least, a `.npy` file, in `{FOLDER}/`.",
            param="model",
        )
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
    """The voices, each as [1, width]. Raises RequestFailed where there is none, or one of another width."""
    arrays = single_arrays(plan)
    if not arrays:
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` speaks with the voice that it is given, and there is none in its folder.",
            hint=f"Put one into `{FOLDER}/` there: a vector of {width:,} numbers (an x-vector) in a `.npy` file, whose "
            "name is the voice's.",
            param="model",
        )
    for name, array in arrays.items():
        if array.size != width:
            raise RequestFailed(
                "load_failed",
                f"The voice `{name}` of `{plan.ref.id}` has {array.size:,} numbers; the model reads {width:,}.",
                hint=f"Remove `{name}.npy` from `{FOLDER}/`, or replace it.",
                param="model",
            )
    return {name: torch.from_numpy(array.reshape(1, width).astype("float32")) for name, array in arrays.items()}
