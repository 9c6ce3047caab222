"""Small models that read pictures or sounds beside texts, with random weights, and processors of tiny tokenizers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

MARKS = (
    "<image>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<start_of_image>",
    "<end_of_image>", "<image_soft_token>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>",
    "<row_1_col_1>", "<row_1_col_2>", "<row_2_col_1>", "<row_2_col_2>",
    "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<s>", "</s>", "<|image|>",
)  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8, "initializer_range": 0.3,
}  # fmt: skip
TEXT: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024, "initializer_range": 0.3, "eos_token_id": 2,
    "bos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
SQUARE = {"height": 32, "width": 32}
TILES = [[32, 64], [64, 32], [64, 64]]


def chat_template(image: str = "", audio: str = "") -> str:
    """ChatML, whose parts are texts, and marks for pictures and sounds."""
    return (
        "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
        f"{{% if part.type == 'image' %}}{image}\n{{% elif part.type == 'audio' %}}{audio}\n"
        "{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
        "{% for call in message.tool_calls or [] %}{{ call.function.arguments.city }}{% endfor %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def make_multimodal_model(folder: Path, kind: str, tokenizer: Any) -> Path:
    """A model of a kind, such as `llava`, with its processor. tokenizer: one that may be changed."""
    import torch

    if not folder.exists():
        tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
        tokenizer.chat_template = None
        torch.manual_seed(0)
        model, processor = KINDS[kind](tokenizer)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder


def _id(tokenizer: Any, mark: str) -> int:
    return int(tokenizer.convert_tokens_to_ids(mark))


def _text(tokenizer: Any, **changes: Any) -> dict[str, Any]:
    return {**TEXT, "vocab_size": len(tokenizer), **changes}


def _llava(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**VISION),
        text_config=t.LlamaConfig(**_text(tokenizer)),
        image_token_id=_id(tokenizer, "<image>"),
    )
    processor = t.LlavaProcessor(
        t.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE), tokenizer, patch_size=8,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=chat_template("<image>"),
    )  # fmt: skip
    return t.LlavaForConditionalGeneration(config), processor


def _llava_next(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.LlavaNextConfig(
        vision_config=t.CLIPVisionConfig(**VISION), text_config=t.LlamaConfig(**_text(tokenizer)),
        image_token_id=_id(tokenizer, "<image>"), image_grid_pinpoints=TILES,
    )  # fmt: skip
    pictures = t.LlavaNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_size=SQUARE, image_grid_pinpoints=TILES
    )  # fmt: skip
    processor = t.LlavaNextProcessor(
        pictures, tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=chat_template("<image>"),
    )  # fmt: skip
    return t.LlavaNextForConditionalGeneration(config), processor


def _llava_onevision(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.LlavaOnevisionConfig(
        vision_config={**VISION, "model_type": "siglip_vision_model"}, text_config=t.Qwen2Config(**_text(tokenizer)),
        image_token_id=_id(tokenizer, "<image>"), video_token_id=_id(tokenizer, "<|video_pad|>"),
        image_grid_pinpoints=TILES, vision_feature_select_strategy="full", vision_feature_layer=-1,
    )  # fmt: skip
    processor = _films_left_out(t.LlavaOnevisionProcessor)(
        t.LlavaOnevisionImageProcessorPil(size=SQUARE, image_grid_pinpoints=TILES), tokenizer, num_image_tokens=16,
        vision_feature_select_strategy="full", chat_template=chat_template("<image>"),
    )  # fmt: skip
    return t.LlavaOnevisionForConditionalGeneration(config), processor


def _internvl(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    tokenizer._set_model_specific_special_tokens(
        {"start_image_token": "<|vision_start|>", "end_image_token": "<|vision_end|>", "context_image_token": "<image>",
         "video_token": "<|video_pad|>"}
    )  # fmt: skip
    vision = t.InternVLVisionConfig(**{**VISION, "image_size": [32, 32], "patch_size": [8, 8]})
    config = t.InternVLConfig(
        vision_config=vision, text_config=t.Qwen2Config(**_text(tokenizer)), downsample_ratio=0.5, image_seq_length=4,
        image_token_id=_id(tokenizer, "<image>"),
    )  # fmt: skip
    processor = _films_left_out(t.InternVLProcessor)(
        t.GotOcr2ImageProcessorPil(size=SQUARE), tokenizer, image_seq_length=4, chat_template=chat_template("<image>")
    )
    return t.InternVLForConditionalGeneration(config), processor


def _qwen_vision() -> dict[str, Any]:
    return {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14, "hidden_size": 64,
            "initializer_range": 0.3}  # fmt: skip


def _qwen(tokenizer: Any, family: str, vision: dict[str, Any]) -> tuple[Any, Any]:
    import transformers as t

    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}
    marks = {f"{name}_token_id": _id(tokenizer, mark) for name, mark in _QWEN_MARKS.items()}
    text = _text(tokenizer, rope_parameters=rope)
    config = getattr(t, f"{family}Config")(text_config=text, vision_config=vision, **marks)
    pictures = t.Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 12})
    processor = _films_left_out(getattr(t, f"{family}Processor"))(
        pictures, tokenizer, chat_template=chat_template("<|vision_start|><|image_pad|><|vision_end|>")
    )
    return getattr(t, f"{family}ForConditionalGeneration")(config), processor


_QWEN_MARKS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}


def _films_left_out(kind: Any) -> Any:
    from llamafarm_universal.host.engines.text.multimodal.processor import without_films

    return without_films(kind)


def _qwen2_vl(tokenizer: Any) -> tuple[Any, Any]:
    return _qwen(tokenizer, "Qwen2VL", _qwen_vision())


def _qwen2_5_vl(tokenizer: Any) -> tuple[Any, Any]:
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "patch_size": 14, "out_hidden_size": 64,
        "window_size": 56, "fullatt_block_indexes": [1], "initializer_range": 0.3,
    }  # fmt: skip
    return _qwen(tokenizer, "Qwen2_5_VL", vision)


def _qwen3_vl(tokenizer: Any) -> tuple[Any, Any]:
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "patch_size": 14, "out_hidden_size": 64,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [0], "initializer_range": 0.3,
    }  # fmt: skip
    return _qwen(tokenizer, "Qwen3VL", vision)


def _paligemma(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    tokenizer = _with_image(tokenizer)
    tokenizer.bos_token = "<s>"
    config = t.PaliGemmaConfig(
        text_config={**_text(tokenizer, head_dim=16), "model_type": "gemma"},
        vision_config={**VISION, "model_type": "siglip_vision_model"},
        image_token_index=_id(tokenizer, "<image>"), projection_dim=64, hidden_size=64,
    )  # fmt: skip
    pictures = t.SiglipImageProcessorPil(size=SQUARE)
    pictures.image_seq_length = 16
    return t.PaliGemmaForConditionalGeneration(config), t.PaliGemmaProcessor(pictures, tokenizer)


def _mllama(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    tokenizer.bos_token = "<s>"
    text = _text(tokenizer, cross_attention_layers=[1], num_hidden_layers=3, bos_token_id=1)
    vision = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 2,
        "intermediate_size": 64, "vision_output_dim": 64, "image_size": 32, "patch_size": 8, "max_num_tiles": 2,
        "initializer_range": 0.3, "intermediate_layers_indices": [0],
        "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }  # fmt: skip
    config = t.MllamaConfig(
        text_config=text, vision_config=vision, image_token_index=_id(tokenizer, "<|image|>"),
    )  # fmt: skip
    model = t.MllamaForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if "gate" in name and parameter.numel() == 1:
            parameter.data.fill_(1.0)  # as in training: what is seen is let in
    pictures = t.MllamaImageProcessorPil(size=SQUARE, max_image_tiles=2)
    return model, t.MllamaProcessor(pictures, tokenizer, chat_template=chat_template("<|image|>"))


def _gemma3(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    marks = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer._set_model_specific_special_tokens(marks)
    windows = {"head_dim": 16, "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"]}
    config = t.Gemma3Config(
        text_config=_text(tokenizer, **windows),
        vision_config={**VISION, "model_type": "siglip_vision_model"},
        mm_tokens_per_image=4,
        boi_token_index=_id(tokenizer, "<start_of_image>"),
        eoi_token_index=_id(tokenizer, "<end_of_image>"),
        image_token_index=_id(tokenizer, "<image_soft_token>"),
    )
    pictures = t.Gemma3ImageProcessorPil(size=SQUARE)
    processor = t.Gemma3Processor(
        pictures, tokenizer, image_seq_length=4, chat_template=chat_template("<start_of_image>")
    )
    return t.Gemma3ForConditionalGeneration(config), processor


def _idefics3(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.Idefics3Config(
        text_config={**_text(tokenizer), "model_type": "llama"},
        vision_config=VISION,
        scale_factor=2,
        image_token_id=_id(tokenizer, "<image>"),
        pad_token_id=0,
    )
    pictures = t.Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = t.Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=chat_template("<image>"))
    return t.Idefics3ForConditionalGeneration(config), processor


def _blip2(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    text = t.OPTConfig(
        vocab_size=len(tokenizer), hidden_size=64, ffn_dim=128, num_hidden_layers=2, num_attention_heads=4,
        word_embed_proj_dim=64, max_position_embeddings=256, init_std=0.3, eos_token_id=2, bos_token_id=1,
        pad_token_id=0,
    )  # fmt: skip
    queries = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
               "encoder_hidden_size": 32, "vocab_size": 50}  # fmt: skip
    config = t.Blip2Config(
        vision_config=VISION, qformer_config=queries, text_config=text, num_query_tokens=4,
        image_token_index=_id(tokenizer, "<image>"),
    )  # fmt: skip
    model = t.Blip2ForConditionalGeneration(config)
    model.query_tokens.data.normal_()  # as in training: no two ask the same
    return model, t.Blip2Processor(t.BlipImageProcessorPil(size=SQUARE), tokenizer, num_query_tokens=4)


def _with_image(tokenizer: Any) -> Any:
    tokenizer._set_model_specific_special_tokens({"image_token": "<image>"})
    return tokenizer


def _florence2(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    tokenizer = _with_image(tokenizer)
    ends = {"bos_token_id": _id(tokenizer, "<s>"), "eos_token_id": _id(tokenizer, "</s>"), "pad_token_id": 0,
            "decoder_start_token_id": _id(tokenizer, "</s>"), "forced_eos_token_id": None}  # fmt: skip
    text = {
        "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128,
        "max_position_embeddings": 256, "init_std": 0.3, **ends,
    }  # fmt: skip
    vision = {
        "embed_dim": [16, 16, 32, 32], "num_heads": [2, 2, 4, 4], "num_groups": [2, 2, 4, 4], "depths": [1, 1, 1, 1],
        "window_size": 4, "projection_dim": 64, "max_temporal_embeddings": 8, "max_position_embeddings": 8,
    }  # fmt: skip
    config = t.Florence2Config(
        text_config=text, vision_config=vision, image_token_id=_id(tokenizer, "<image>"), is_encoder_decoder=True
    )
    size = {"height": 64, "width": 64}
    pictures = t.CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False)
    pictures.image_seq_length = 5
    model = t.Florence2ForConditionalGeneration(config)
    for name, value in ends.items():
        setattr(model.generation_config, name, value)
    return model, t.Florence2Processor(pictures, tokenizer)


def _qwen2_audio(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    sound = {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
             "num_mel_bins": 16, "max_source_positions": 50, "initializer_range": 0.3}  # fmt: skip
    config = t.Qwen2AudioConfig(
        audio_config=sound, text_config={**_text(tokenizer), "model_type": "qwen2"},
        audio_token_index=_id(tokenizer, "<|AUDIO|>"),
    )  # fmt: skip
    features = t.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    template = chat_template(audio="<|audio_bos|><|AUDIO|><|audio_eos|>")
    return t.Qwen2AudioForConditionalGeneration(config), t.Qwen2AudioProcessor(features, tokenizer, template)


KINDS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "llava": _llava,
    "qwen2_vl": _qwen2_vl,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "mllama": _mllama,
    "gemma3": _gemma3,
    "paligemma": _paligemma,
    "idefics3": _idefics3,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "internvl": _internvl,
    "blip2": _blip2,
    "florence2": _florence2,
    "qwen2_audio": _qwen2_audio,
}
