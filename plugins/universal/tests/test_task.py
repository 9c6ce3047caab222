"""What a model does, and which engine executes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.catalogue import choose, tasks
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import Candidate
from llamafarm_universal.sound_kind import kind_of
from llamafarm_universal.task import ENCODER_DECODERS, is_encoder_decoder, named_task, task_of


def refusal(folder: Path, config: dict[str, Any], **settings: Any) -> RequestFailed:
    """Why no engine executes a model of this configuration."""
    ref = ModelRef("org/model", LoadSettings(**settings))
    candidate = Candidate(ref, folder, config, task_of(folder, config), "cpu", "fp32", 0)
    with pytest.raises(RequestFailed) as caught:
        choose(candidate)
    return caught.value


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("LlamaForCausalLM", "text"),
        ("GPT2LMHeadModel", "text"),
        ("BertModel", "embedding"),
        ("BertForMaskedLM", "embedding"),
        ("NomicBertModel", "embedding"),
        ("Qwen3Model", "embedding"),
        ("BertForSequenceClassification", "classification"),
        ("BertForTokenClassification", "ner"),
        ("T5EncoderModel", "embedding"),
        ("WhisperForConditionalGeneration", "text2text"),
    ],
)
def test_the_architecture_names_the_task(tmp_path: Path, architecture: str, task: str) -> None:
    assert task_of(tmp_path, {"architectures": [architecture]}) == task


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [
        ("Wav2Vec2ForSequenceClassification", "wav2vec2"),
        ("HubertForSequenceClassification", "hubert"),
        ("WavLMForSequenceClassification", "wavlm"),
        ("ASTForAudioClassification", "audio-spectrogram-transformer"),
        ("WhisperForAudioClassification", "whisper"),
    ],
)
def test_a_classifier_of_sound_is_a_model_of_sound(tmp_path: Path, architecture: str, model_type: str) -> None:
    config = {"architectures": [architecture], "model_type": model_type, "id2label": {"0": "cow"}}
    assert task_of(tmp_path, config) == "audio"
    assert kind_of(config) == "classes"


def test_a_model_of_sound_is_not_quantised(tmp_path: Path) -> None:
    config = {"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"}
    failure = refusal(tmp_path, config, quantization="int8")
    assert failure.message == "No engine here quantises `org/model` for the task `audio`."
    assert failure.param == "quantization"


def test_a_half_of_a_model_of_sound_is_not_taken_for_one_that_embeds_texts(tmp_path: Path) -> None:
    for architecture in ("Wav2Vec2Model", "HubertModel", "Wav2Vec2ForPreTraining", "Wav2Vec2ForXVector"):
        config = {"architectures": [architecture], "model_type": "wav2vec2", "conv_stride": [5]}
        assert task_of(tmp_path, config) == "audio"
        assert architecture in refusal(tmp_path, config).message


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [
        ("MusicgenForConditionalGeneration", "musicgen"),
        ("CsmForConditionalGeneration", "csm"),
        ("FastSpeech2ConformerModel", "fastspeech2_conformer"),
        ("GradiumPhononTTSForConditionalGeneration", "gradium_phonon_tts"),
        ("HiggsAudioV2ForConditionalGeneration", "higgs_audio_v2"),
        ("PocketTTSForConditionalGeneration", "pocket_tts"),
        ("SeamlessM4TForTextToSpeech", "seamless_m4t"),
        ("VibeVoiceForConditionalGeneration", "vibevoice"),
        ("DiaForConditionalGeneration", "dia"),
        ("FastSpeech2ConformerWithHifiGan", "fastspeech2_conformer_with_hifigan"),
        ("SpeechT5ForSpeechToText", "speecht5"),
    ],
)
def test_a_model_of_sound_that_is_not_executed_is_named(tmp_path: Path, architecture: str, model_type: str) -> None:
    failure = refusal(tmp_path, {"architectures": [architecture], "model_type": model_type})
    assert failure.kind == "not_supported"
    assert f"architecture `{architecture}`, model type `{model_type}`, which is a model for the task `audio`" in (
        failure.message
    )


def test_an_encoder_decoder_of_text_writes_text_unless_its_entry_says_otherwise(tmp_path: Path) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as KNOWN

    for model_type in ENCODER_DECODERS:
        config = {"architectures": [KNOWN[model_type]], "model_type": model_type}
        assert (task_of(tmp_path, config), is_encoder_decoder(config)) == ("text", True)
    half = {"architectures": ["T5EncoderModel"], "model_type": "t5"}
    assert (task_of(tmp_path, half), is_encoder_decoder(half)) == ("embedding", False)
    decoder = {"architectures": ["BartForCausalLM"], "model_type": "bart"}
    assert (task_of(tmp_path, decoder), is_encoder_decoder(decoder)) == ("text", False)


def test_the_sentence_transformers_layout_embeds_whatever_the_architecture(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert task_of(tmp_path, {"architectures": ["Qwen3ForCausalLM"]}) == "embedding"


def test_a_classifier_of_one_class_ranks(tmp_path: Path) -> None:
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    assert task_of(tmp_path, config) == "reranking"
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "config_sentence_transformers.json").write_text('{"model_type": "CrossEncoder"}')
    assert task_of(tmp_path, config) == "reranking", "sentence-transformers writes its layout for cross-encoders too"


def test_a_diffusers_pipeline_makes_pictures(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    assert task_of(tmp_path, {}) == "diffusion"


def test_model_type_names_the_task() -> None:
    assert named_task("embedding", tasks()) == "embedding"
    assert named_task("image", ("text", "diffusion")) == "diffusion"
    with pytest.raises(RequestFailed) as caught:
        named_task("poetry", ("text", "embedding"))
    assert caught.value.param == "model_type"
    assert caught.value.hint == "The engines here do: embedding, text."


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"architectures": ["Speech2TextForConditionalGeneration"], "model_type": "speech_to_text"}, "task `audio`"),
        ({"architectures": ["ViTForMaskedImageModeling"], "model_type": "vit"}, "ViTForMaskedImageModeling"),
        ({"architectures": ["KosmosForConditionalGeneration"], "model_type": "kosmos"}, "task `text2text`"),
        ({"architectures": ["Something"], "model_type": "new"}, "`Something`"),
        ({"model_type": "mystery"}, "no architecture, model type `mystery`"),
    ],
)
def test_what_no_engine_executes_is_named_with_what_there_is(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    failure = refusal(tmp_path, config)
    assert failure.kind == "not_supported"
    assert words in failure.message
    assert ", ".join(tasks()) in (failure.hint or "")


def test_an_engine_that_is_not_installed_is_refused_by_name(tmp_path: Path) -> None:
    failure = refusal(tmp_path, {"architectures": ["LlamaForCausalLM"]}, engine="steam")
    assert failure.param == "engine"
    assert "torch" in (failure.hint or "")
