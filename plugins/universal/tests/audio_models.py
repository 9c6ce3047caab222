"""Small models of sound with random weights, built from their configuration classes."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
SECONDS = 2
"""Of a window."""
POSITIONS = SECONDS * 50
LANGUAGES = ("en", "de", "fr")


def make_whisper_tokenizer(seconds: int = SECONDS) -> Any:
    """Bytes, a few words, and Whisper's special tokens; behind them lie the times."""
    from tokenizers import AddedToken, pre_tokenizers
    from transformers import WhisperTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = WhisperTokenizer(vocab={**vocabulary, "<|endoftext|>": len(letters)}, merges=[])
    names = ["startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm", "startofprev", "nospeech"]
    special = [f"<|{name}|>" for name in [*names, "notimestamps"]]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    times = [f"<|{step * 0.02:.2f}|>" for step in range(seconds * 50 + 1)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    return tokenizer


def make_whisper(folder: Path, seed: int = 0, scale: float = 1.0, seconds: int = SECONDS) -> Path:
    """A model of windows of so many seconds. scale: of its weights; large ones make it sure of each token."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    tokenizer = make_whisper_tokenizer(seconds)
    id_of = tokenizer.convert_tokens_to_ids
    end, start = id_of("<|endoftext|>"), id_of("<|startoftranscript|>")
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=16,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=seconds * 50,
        max_target_positions=48,
        init_std=0.5,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        model.model.decoder.layer_norm.weight.mul_(scale)
    model.generation_config = GenerationConfig(
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
        max_length=48,
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": id_of(f"<|{code}|>") for code in LANGUAGES},
        task_to_id={task: id_of(f"<|{task}|>") for task in ("transcribe", "translate")},
        no_timestamps_token_id=id_of("<|notimestamps|>"),
        prev_sot_token_id=id_of("<|startofprev|>"),
        max_initial_timestamp_index=50,
        alignment_heads=[[0, 1], [1, 0]],
        suppress_tokens=[],
        begin_suppress_tokens=[end],
        return_timestamps=True,
    )
    model.save_pretrained(folder)
    features = WhisperFeatureExtractor(feature_size=16, chunk_length=seconds)
    WhisperProcessor(features, tokenizer).save_pretrained(folder)
    return folder


def noise(seconds: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """Noise of 16,000 samples a second that swells and fades, as 16-bit numbers have it."""
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.uniform(0.01, 0.3, round(seconds * 10)), RATE // 10)
    samples = (random.standard_normal(loudness.size) * loudness).clip(-1, 1)
    return (samples * 32767).astype("<i2").astype(np.float32) / 32768


def wav_of(samples: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((samples * 32768).astype("<i2").tobytes())
    return file.getvalue()


ENCODER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SAMPLED = {
    "conv_dim": (16, 16),
    "conv_kernel": (10, 32),
    "conv_stride": (10, 32),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": 1.0,
}
"""Of models that read samples themselves, 320 of them for each of their outputs: Wav2Vec2 and its kin."""


def make_ctc(folder: Path, family: str = "Wav2Vec2") -> Path:
    """A model that spells what it hears, with a letter for each 320 samples. family: `Wav2Vec2` or `Hubert`."""
    import torch
    import transformers

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSR"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(letters),
        **ENCODER,
        **SAMPLED,
        pad_token_id=0,
    )
    getattr(transformers, f"{family}ForCTC")(config).save_pretrained(folder)
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


def make_vits(folder: Path, voices: int = 1) -> Path:
    """A model that speaks letters, 16,000 samples a second."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    letters = ["_", *"abcdefghijklmnopqrstuvwxyz '", "<unk>"]
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    torch.manual_seed(0)
    config = transformers.VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        upsample_initial_channel=16,
        upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=2,
        depth_separable_num_layers=1,
        num_speakers=voices,
        speaker_embedding_size=8 if voices > 1 else 0,
    )
    transformers.VitsModel(config).save_pretrained(folder)
    transformers.VitsTokenizer(
        str(folder / "vocab.json"), pad_token="_", phonemize=False, is_uroman=False
    ).save_pretrained(folder)
    return folder


def make_sound_classifier(folder: Path, family: str = "Wav2Vec2", classes: int = 6, **settings: Any) -> Path:
    """A model of so many classes. family: `Wav2Vec2`, `Hubert` or `AST`. settings: of its configuration."""
    import torch
    import transformers

    torch.manual_seed(0)
    settings = {"num_labels": classes, "id2label": {number: f"sound {number}" for number in range(classes)}, **settings}
    settings |= {"label2id": {label: number for number, label in settings["id2label"].items()}}
    if family == "AST":
        frames = {"max_length": 200, "num_mel_bins": 16, "patch_size": 8, "time_stride": 8, "frequency_stride": 8}
        config = transformers.ASTConfig(**ENCODER, **frames, **settings, initializer_range=0.5)
        transformers.ASTForAudioClassification(config).save_pretrained(folder)
        transformers.ASTFeatureExtractor(max_length=200, num_mel_bins=16).save_pretrained(folder)
        return folder
    config = getattr(transformers, f"{family}Config")(
        **ENCODER,
        **SAMPLED,
        **settings,
        classifier_proj_size=8,
        vocab_size=4,
    )
    getattr(transformers, f"{family}ForSequenceClassification")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


def make_letter_tokenizer() -> Any:
    """A token for each letter, and one for the end. SpeechT5's own is a file of `sentencepiece`."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = ["<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ,.'"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>", return_token_type_ids=False
    )


def make_speecht5(folder: Path, voices: tuple[str, ...] = ("bella", "bo")) -> Path:
    """A model that speaks letters, with a vocoder and voices in its folder."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_letter_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.SpeechT5Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        num_mel_bins=8,
        speech_decoder_prenet_units=16,
        speech_decoder_postnet_units=16,
        speech_decoder_postnet_layers=2,
        speaker_embedding_dim=12,
        max_text_positions=60,
        max_speech_positions=200,
        conv_dim=(8,),
        conv_kernel=(10,),
        conv_stride=(5,),
        num_feat_extract_layers=1,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.5,
        reduction_factor=2,
    )
    transformers.SpeechT5ForTextToSpeech(config).save_pretrained(folder)
    vocoder = transformers.SpeechT5HifiGanConfig(
        model_in_dim=8,
        upsample_initial_channel=16,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        initializer_range=0.5,
    )
    transformers.SpeechT5HifiGan(vocoder).save_pretrained(folder / "vocoder")
    (folder / "speaker_embeddings").mkdir()
    random = np.random.default_rng(0)
    for voice in voices:
        np.save(folder / "speaker_embeddings" / f"{voice}.npy", random.standard_normal(12).astype("float32"))
    return folder


def make_bark(folder: Path, tokenizer: Any, voices: tuple[str, ...] = ("v2/en_speaker_0", "v2/en_speaker_1")) -> Path:
    """A model that writes the tokens of sounds, with voices in its folder; its numbers are Bark's, but small."""
    import torch
    import transformers

    torch.manual_seed(0)
    shape = {"block_size": 96, "num_layers": 2, "num_heads": 2, "hidden_size": 16, "initializer_range": 0.5}
    semantic = {"input_vocab_size": len(tokenizer) + 140, "output_vocab_size": 64, **shape}
    codec = transformers.EncodecConfig(
        target_bandwidths=[4.0],
        sampling_rate=4000,
        num_filters=4,
        num_residual_layers=1,
        upsampling_ratios=[4, 4],
        codebook_size=16,
        codebook_dim=8,
        hidden_size=8,
        num_lstm_layers=1,
        use_conv_shortcut=False,
    )
    config = transformers.BarkConfig(
        semantic_config=semantic,
        coarse_acoustics_config={"input_vocab_size": 128, "output_vocab_size": 128, **shape},
        fine_acoustics_config={
            "input_vocab_size": 32, "output_vocab_size": 32, "n_codes_total": 4, "n_codes_given": 1, **shape,
        },
        codec_config=codec.to_dict(),
    )  # fmt: skip
    transformers.BarkModel(config).save_pretrained(folder)
    pad, offset = 50, 100
    settings = {
        "model_type": "bark",
        "sample_rate": 4000,
        "codebook_size": 16,
        "semantic_config": {
            "eos_token_id": pad, "max_new_tokens": 12, "semantic_vocab_size": pad, "semantic_pad_token": pad,
            "text_encoding_offset": offset, "text_pad_token": len(tokenizer) + offset + 1,
            "semantic_infer_token": len(tokenizer) + offset + 2, "max_input_semantic_length": 32, "do_sample": True,
            "semantic_rate_hz": 40.0,
        },
        "coarse_acoustics_config": {
            "n_coarse_codebooks": 2, "coarse_rate_hz": 60, "coarse_semantic_pad_token": 100, "coarse_infer_token": 101,
            "max_coarse_input_length": 16, "max_coarse_history": 40, "sliding_window_len": 12, "do_sample": True,
        },
        "fine_acoustics_config": {
            "temperature": 0.5, "max_fine_history_length": 32, "max_fine_input_length": 64, "n_fine_codebooks": 4,
        },
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(settings))
    tokenizer.save_pretrained(folder)
    random, listed = np.random.default_rng(0), {"repo_or_path": "author/model"}
    shapes = {"semantic_prompt": (pad, (20,)), "coarse_prompt": (16, (2, 30)), "fine_prompt": (16, (4, 30))}
    for voice in voices:
        files = {name: f"speaker_embeddings/{voice}_{name}.npy" for name in shapes}
        for name, (most, size) in shapes.items():
            (folder / files[name]).parent.mkdir(parents=True, exist_ok=True)
            np.save(folder / files[name], random.integers(0, most, size))
        listed[voice] = files  # type: ignore[assignment]
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(listed))
    return folder


def make_mms(folder: Path, languages: tuple[str, ...] = ("eng", "deu", "azj-script_latin")) -> Path:
    """A model as of `make_ctc` that knows several languages, each with letters and an adapter of its own."""
    import torch
    import transformers
    from safetensors.torch import save_file

    make_ctc(folder)
    special = ["<pad>", "<s>", "</s>", "<unk>", "|"]
    letters = {name: [*special, *"ETAONIHSRDLU"[at : at + 7 + at]] for at, name in enumerate(languages)}
    nested = {name: {letter: at for at, letter in enumerate(each)} for name, each in letters.items()}
    (folder / "vocab.json").write_text(json.dumps(nested))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), target_lang=languages[0])
    tokenizer.save_pretrained(folder)
    config = transformers.Wav2Vec2Config.from_pretrained(folder)
    config.adapter_attn_dim, config.vocab_size, config.do_stable_layer_norm = 4, len(letters[languages[0]]), True
    for number, name in enumerate(languages):
        torch.manual_seed(0)
        model = transformers.Wav2Vec2ForCTC(config)
        torch.manual_seed(number)
        model.lm_head = torch.nn.Linear(config.hidden_size, len(letters[name]))
        adapters = model._get_adapters()
        for parameter in adapters.values():
            torch.nn.init.normal_(parameter)
        if number == 0:
            model.save_pretrained(folder)
        save_file({key: value.data for key, value in adapters.items()}, folder / f"adapter.{name}.safetensors")
    return folder
