"""From a plan to an audio engine: what runs the model, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llamafarm_universal.engine import LoadPlan
from llamafarm_universal.host.engines.audio.base import Head
from llamafarm_universal.host.engines.audio.batches import BatchRunner
from llamafarm_universal.host.engines.audio.classes import ClassesHead, SoundClassifier
from llamafarm_universal.host.engines.audio.ctc import CtcHead, CtcModel
from llamafarm_universal.host.engines.audio.engine import AudioEngine
from llamafarm_universal.host.engines.audio.languages import Aside, Languages, has_nested_letters
from llamafarm_universal.host.engines.audio.memory import batch_of, windows_within
from llamafarm_universal.host.engines.audio.speech.bark import Bark
from llamafarm_universal.host.engines.audio.speech.head import SpeechHead
from llamafarm_universal.host.engines.audio.speech.speaker import Speaker, Speech
from llamafarm_universal.host.engines.audio.speech.speecht5 import SpeechT5
from llamafarm_universal.host.engines.audio.speech.vits import Vits
from llamafarm_universal.host.engines.audio.whisper.head import WhisperHead
from llamafarm_universal.host.engines.audio.whisper.runner import WhisperRunner
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary
from llamafarm_universal.host.models.loader import load_failure, load_weights, read_weights, ready_weights
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.sound_kind import has_languages, kind_of


def load_audio(plan: LoadPlan, grant: int) -> AudioEngine:
    """Read the weights. Raises RequestFailed."""
    from transformers import AutoModelForTextToSpectrogram, AutoModelForTextToWaveform

    match kind_of(plan.config):
        case "whisper":
            return _whisper(plan, grant)
        case "ctc":
            return _ctc(plan)
        case "classes":
            return _classes(plan)
        case "speecht5":
            return _speech(plan, AutoModelForTextToSpectrogram, SpeechT5)
        case "bark":
            return _speech(plan, AutoModelForTextToWaveform, Bark)
        case _:
            return _speech(plan, AutoModelForTextToWaveform, Vits)


def _whisper(plan: LoadPlan, grant: int) -> AudioEngine:
    from transformers import AutoModelForSpeechSeq2Seq

    weights = load_weights(plan, AutoModelForSpeechSeq2Seq)
    features = feature_extractor(plan)
    vocabulary = Vocabulary(weights.tokenizer, weights.module.generation_config)
    config = weights.module.config
    most = int(config.max_target_positions)
    head = WhisperHead(vocabulary, features, int(config.max_source_positions), most, plan.limits.media)
    heads: dict[str, Head] = {"transcribe": head}
    if vocabulary.translates:
        heads["translate"] = head
    runner = WhisperRunner(weights.module, features, vocabulary, windows_within(plan, grant))
    names = [name for operation in heads for name in user_names(operation)]
    return AudioEngine(runner, heads, weights.describe(heads, names), plan.limits)


def _ctc(plan: LoadPlan) -> AudioEngine:
    from transformers import AutoModelForCTC

    module, tokenizer = read_weights(plan, AutoModelForCTC)
    languages = None
    if has_languages(plan.config) and has_nested_letters(tokenizer):
        aside = Aside(module)
        weights = ready_weights(plan, module, tokenizer)
        aside.put_back()
        languages = Languages(plan, module, tokenizer)
    else:
        weights = ready_weights(plan, module, tokenizer)
    features = feature_extractor(plan)
    model = CtcModel(weights.module, features, languages)
    ratio = int(weights.module.config.inputs_to_logits_ratio)
    head = CtcHead(weights.tokenizer, int(features.sampling_rate), ratio, plan.limits.media, languages)
    most = batch_of(plan.device)
    runner = BatchRunner(weights.module, model.read, model.size, lambda _: most)
    described = weights.describe(["transcribe"], user_names("transcribe"))
    return AudioEngine(runner, {"transcribe": head}, described, plan.limits)


def _classes(plan: LoadPlan) -> AudioEngine:
    from transformers import AutoModelForAudioClassification

    weights = load_weights(plan, AutoModelForAudioClassification, reads_text=False)
    model = SoundClassifier(weights.module, feature_extractor(plan))
    most = batch_of(plan.device)
    runner = BatchRunner(weights.module, model.scores, model.size, lambda _: most)
    described = weights.describe(["classify_sounds"], user_names("classify_sounds"))
    return AudioEngine(runner, {"classify_sounds": ClassesHead(model, plan.limits.media)}, described, plan.limits)


def _speech(plan: LoadPlan, auto_class: Any, kind: Callable[[LoadPlan, Any, Any], Speaker]) -> AudioEngine:
    weights = load_weights(plan, auto_class)
    speaker = kind(plan, weights.module, weights.tokenizer)
    runner = BatchRunner(weights.module, Speech(speaker).speak)
    described = weights.describe(["speak"], user_names("speak"))
    return AudioEngine(runner, {"speak": SpeechHead(speaker)}, described, plan.limits)


def feature_extractor(plan: LoadPlan) -> Any:
    """What makes a model's input of samples. Raises RequestFailed where its configuration is missing."""
    from transformers import AutoFeatureExtractor

    try:
        return AutoFeatureExtractor.from_pretrained(
            plan.folder, local_files_only=True, trust_remote_code=plan.ref.settings.trust_remote_code
        )
    except Exception as error:
        raise load_failure(plan, error) from error
