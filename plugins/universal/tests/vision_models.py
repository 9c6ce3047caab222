"""Small models that look at pictures, with random weights, built from their configuration classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusion_models import make_clip_tokenizer

LABELS = ("cat", "dog", "cow", "hen")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SQUARE = {"height": 32, "width": 32}


def make_vision_model(folder: Path, kind: str, tokenizer: Any) -> Path:
    """A model of a kind, such as `vit`, with its image processor; those that read text get the tokenizer."""
    import torch

    if not folder.exists():
        torch.manual_seed(0)
        model, processor = KINDS[kind](tokenizer)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        if kind in READ_TEXT:
            tokenizer.save_pretrained(folder)
        if kind == "oneformer":  # whose texts differ by one word alone
            make_clip_tokenizer().save_pretrained(folder)
    return folder


def named_classes() -> dict[str, Any]:
    names = dict(enumerate(LABELS))
    return {"id2label": names, "label2id": {name: number for number, name in names.items()}}


def _vit(_: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.ViTConfig(**SIZES, image_size=32, patch_size=8, initializer_range=0.4, **named_classes())
    return t.ViTForImageClassification(config), t.ViTImageProcessorPil(size=SQUARE)


def _vit_features(_: Any) -> tuple[Any, Any]:
    import transformers as t

    wide = {**SIZES, "hidden_size": 160}  # so that layers get the forms that are fastest, as those of real models do
    return t.ViTModel(t.ViTConfig(**wide, image_size=32, patch_size=8)), t.ViTImageProcessorPil(size=SQUARE)


def _vit_without_pooler(_: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.ViTConfig(**SIZES, image_size=32, patch_size=8)
    return t.ViTModel(config, add_pooling_layer=False), t.ViTImageProcessorPil(size=SQUARE)


def _dinov2(_: Any) -> tuple[Any, Any]:
    import transformers as t

    sizes = {name: size for name, size in SIZES.items() if name != "intermediate_size"}
    config = t.Dinov2Config(**sizes, image_size=32, patch_size=8)
    shapes = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}
    return t.Dinov2Model(config), t.BitImageProcessorPil(**shapes)


def _resnet(_: Any) -> tuple[Any, Any]:
    import transformers as t

    return t.ResNetModel(_backbone()), t.ViTImageProcessorPil(size=SQUARE)


def _backbone() -> Any:
    import transformers as t

    return t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], layer_type="basic",
                          out_features=["stage1", "stage2", "stage3", "stage4"])  # fmt: skip


def _detr_config() -> Any:
    import transformers as t

    return t.DetrConfig(
        backbone_config=_backbone(), use_timm_backbone=False, backbone=None, use_pretrained_backbone=False,
        d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=8, decoder_attention_heads=8,
        encoder_ffn_dim=64, decoder_ffn_dim=64, num_queries=6, **named_classes(),
    )  # fmt: skip


def _detr(_: Any) -> tuple[Any, Any]:
    import transformers as t

    processor = t.DetrImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    return _decisive(t.DetrForObjectDetection(_detr_config())), processor


def _detr_segmentation(_: Any) -> tuple[Any, Any]:
    import torch
    import transformers as t

    processor = t.DetrImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    model = _decisive(t.DetrForSegmentation(_detr_config()))
    torch.nn.init.ones_(model.mask_head.output_conv.bias)
    model.detr.class_labels_classifier.bias.data[-1] -= 20  # so that every query is something
    return model, processor


def _yolos(_: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.YolosConfig(**SIZES, image_size=[32, 48], patch_size=8, num_detection_tokens=6, **named_classes())
    processor = t.YolosImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    return _decisive(t.YolosForObjectDetection(config)), processor


def _owlv2(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    text = {**SIZES, "vocab_size": len(tokenizer), "max_position_embeddings": 16, "pad_token_id": 0,
            "bos_token_id": 2, "eos_token_id": 3}  # fmt: skip
    vision = {**SIZES, "image_size": 32, "patch_size": 8}
    config = t.Owlv2Config(text_config=text, vision_config=vision, projection_dim=32)
    return t.Owlv2ForObjectDetection(config), t.Owlv2ImageProcessorPil(size=SQUARE)


def _grounding_dino(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    swin = t.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 2, 2], window_size=4,
        out_features=["stage2", "stage3"],
    )  # fmt: skip
    text = t.BertConfig(**SIZES, vocab_size=len(tokenizer), max_position_embeddings=64)
    config = t.GroundingDinoConfig(
        backbone_config=swin, text_config=text, use_timm_backbone=False, d_model=32, encoder_layers=1,
        decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64, encoder_attention_heads=2,
        decoder_attention_heads=2, num_queries=6, num_feature_levels=3, max_text_len=64, fusion_dropout=0.0,
    )  # fmt: skip
    processor = t.GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128})
    return t.GroundingDinoForObjectDetection(config), processor


def _segformer(_: Any) -> tuple[Any, Any]:
    import transformers as t

    config = t.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3],
        strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, **named_classes(),
    )  # fmt: skip
    return t.SegformerForSemanticSegmentation(config), t.SegformerImageProcessorPil(size=SQUARE)


def _mask2former(_: Any) -> tuple[Any, Any]:
    import transformers as t

    swin = t.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = t.Mask2FormerConfig(
        backbone_config=swin, hidden_dim=32, mask_feature_size=32, feature_size=32, encoder_layers=1,
        decoder_layers=2, num_attention_heads=2, dim_feedforward=64, encoder_feedforward_dim=64, num_queries=6,
        **named_classes(),
    )  # fmt: skip
    return _decisive(t.Mask2FormerForUniversalSegmentation(config)), t.Mask2FormerImageProcessorPil(
        size={"height": 64, "width": 64}
    )


def _oneformer(_: Any) -> tuple[Any, Any]:
    import transformers as t

    swin = t.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = t.OneFormerConfig(
        backbone_config=swin, hidden_dim=32, mask_dim=32, conv_dim=32, encoder_layers=1, decoder_layers=2,
        num_attention_heads=2, dim_feedforward=64, encoder_feedforward_dim=64, num_queries=2, query_dec_layers=1,
        text_encoder_width=32, text_encoder_context_length=77, text_encoder_num_layers=1,
        text_encoder_vocab_size=128, text_encoder_n_ctx=2, is_training=False, **named_classes(),
    )  # fmt: skip
    processor = t.OneFormerImageProcessorPil(size={"height": 64, "width": 64}, num_labels=len(LABELS))
    model = _decisive(t.OneFormerForUniversalSegmentation(config))
    model.model.transformer_module.decoder.class_embed.bias.data[-1] -= 20  # so that every query is something
    return model, processor


def _depth_anything(_: Any) -> tuple[Any, Any]:
    import transformers as t

    dinov2 = t.Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=32, patch_size=8,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = t.DepthAnythingConfig(
        backbone_config=dinov2, patch_size=8, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=4, head_in_index=-1, initializer_range=0.4,
    )  # fmt: skip
    processor = t.DPTImageProcessorPil(size=SQUARE, keep_aspect_ratio=True, ensure_multiple_of=8)
    return t.DepthAnythingForDepthEstimation(config), processor


def _blip(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    text = {**SIZES, **_text(tokenizer), "encoder_hidden_size": 32, "sep_token_id": tokenizer.sep_token_id}
    vision = {**SIZES, "image_size": 32, "patch_size": 8}
    config = t.BlipConfig(text_config=text, vision_config=vision, projection_dim=32, initializer_range=0.4)
    return t.BlipForConditionalGeneration(config), t.BlipImageProcessorPil(size=SQUARE)


def _git(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    vision = {**SIZES, "image_size": 32, "patch_size": 8}
    config = t.GitConfig(vision_config=vision, **SIZES, **_text(tokenizer), initializer_range=0.4)
    shapes = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}
    return t.GitForCausalLM(config), t.CLIPImageProcessorPil(**shapes)


def _encoder_decoder(tokenizer: Any) -> tuple[Any, Any]:
    import transformers as t

    decoder = t.BertConfig(
        **SIZES, **_text(tokenizer), is_decoder=True, add_cross_attention=True, initializer_range=0.4
    )
    encoder = t.ViTConfig(**SIZES, image_size=32, patch_size=8)
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = tokenizer.cls_token_id, tokenizer.pad_token_id
    model = t.VisionEncoderDecoderModel(config)
    model.generation_config.update(
        decoder_start_token_id=tokenizer.cls_token_id, pad_token_id=0, eos_token_id=tokenizer.sep_token_id
    )
    return model, t.ViTImageProcessorPil(size=SQUARE)


def _text(tokenizer: Any) -> dict[str, Any]:
    """Of a half that writes."""
    ends = {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id, "pad_token_id": 0}
    return {"vocab_size": len(tokenizer), "max_position_embeddings": 64, **ends}


def _decisive(model: Any) -> Any:
    """The same with queries and classes far apart, so that some are sure of a class, and others of none."""
    import torch

    for name, module in model.named_modules():
        if name.endswith("query_position_embeddings"):
            torch.nn.init.normal_(module.weight, std=3.0)
        if isinstance(module, torch.nn.Linear) and ("class_labels_classifier" in name or "class_predictor" in name):
            torch.nn.init.normal_(module.weight, std=1.0)
    return model


KINDS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "vit": _vit,
    "vit-features": _vit_features,
    "vit-without-pooler": _vit_without_pooler,
    "dinov2": _dinov2,
    "resnet": _resnet,
    "detr": _detr,
    "yolos": _yolos,
    "owlv2": _owlv2,
    "grounding-dino": _grounding_dino,
    "segformer": _segformer,
    "mask2former": _mask2former,
    "oneformer": _oneformer,
    "detr-segmentation": _detr_segmentation,
    "depth-anything": _depth_anything,
    "blip": _blip,
    "git": _git,
    "encoder-decoder": _encoder_decoder,
}
READ_TEXT = ("owlv2", "grounding-dino", "blip", "git", "encoder-decoder")
