"""From a plan to a vision engine: which model looks at pictures, and what is read in what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llamafarm_universal.engine import LoadPlan, RequestFailed
from llamafarm_universal.host.engines.encode.base import Encoder, Head
from llamafarm_universal.host.engines.encode.engine import EncodeEngine
from llamafarm_universal.host.engines.encode.load import class_activation, load_towers
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.tokens import Tokens
from llamafarm_universal.host.engines.text.limits import context_length, token_limit
from llamafarm_universal.host.engines.vision.caption import (
    Captioner,
    CaptionsHead,
    begins_by_itself,
    begins_with_first_token,
    begins_with_prompt,
)
from llamafarm_universal.host.engines.vision.classify import ClassesHead
from llamafarm_universal.host.engines.vision.depth import DepthHead
from llamafarm_universal.host.engines.vision.detect import ObjectsHead
from llamafarm_universal.host.engines.vision.engine import LookingEngine
from llamafarm_universal.host.engines.vision.features import FeaturesHead
from llamafarm_universal.host.engines.vision.find import GroundedHead, LabelledHead
from llamafarm_universal.host.engines.vision.model import AskedModel, PictureModel
from llamafarm_universal.host.engines.vision.segment import SegmentsHead, TaskedSegmentsHead, kinds_of, task_tokens
from llamafarm_universal.host.engines.vision.writing import WritingEngine
from llamafarm_universal.host.models.loader import (
    Weights,
    load_failure,
    load_weights,
    read_weights,
    ready_weights,
    unmarked,
)
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.task import is_captioner

_QUERIES = ("class_queries_logits", "masks_queries_logits")
_POOLER = ("pooler.",)
"""Weights that make one vector of all; many who train a model for other ends save none."""


def load_vision(plan: LoadPlan) -> EncodeEngine:
    """Read the weights. Raises RequestFailed, also where nothing here reads what the model says."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES as NAMED

    architecture = str((plan.config.get("architectures") or [""])[0])
    if plan.config.get("model_type") in NAMED and architecture.endswith("ForObjectDetection"):
        return _finder(plan)
    if is_captioner(plan.config):
        return _captioner(plan)
    for ending, load in _LOADERS.items():
        if architecture.endswith(ending):
            return load(plan)
    raise RequestFailed(
        "not_supported",
        f"`{plan.ref.id}` is no model for pictures that is known here: its architecture is `{architecture}`.",
        hint=f"Architectures end in {', '.join(f'`{ending}`' for ending in _LOADERS)}.",
        param="model",
    )


def _classifier(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModelForImageClassification

    weights = load_weights(plan, AutoModelForImageClassification, reads_text=False)
    labels = _labels(weights)
    activation = class_activation(weights.module.config, len(labels))
    head = ClassesHead(_pictures(weights), [*labels.values()], activation)
    return _engine(weights, "classify_pictures", head, PictureModel(weights.module, head.says))


def _features(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModel

    if "text_config" in plan.config:
        return load_towers(plan)
    module, _ = read_weights(plan, AutoModel, unread=_POOLER, reads_text=False)
    pools = not any(name.startswith(_POOLER) for name in unmarked(module))  # layers in other forms have no marks
    weights = ready_weights(plan, module, None)
    head = FeaturesHead(_pictures(weights), pools=pools)
    return _engine(weights, "embed_pictures", head, PictureModel(weights.module, head.says))


def _detector(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModelForObjectDetection

    weights = load_weights(plan, AutoModelForObjectDetection, reads_text=False)
    head = ObjectsHead(_pictures(weights), _labels(weights))
    return _engine(weights, "detect_objects", head, PictureModel(weights.module, head.says))


def _finder(plan: LoadPlan) -> EncodeEngine:
    """A model that finds what a request names."""
    from transformers import AutoModelForZeroShotObjectDetection, GroundingDinoProcessor

    weights = load_weights(plan, AutoModelForZeroShotObjectDetection)
    pictures, config = _pictures(weights), weights.module.config
    head: LabelledHead | GroundedHead
    if hasattr(pictures.processor, "post_process_image_guided_detection"):
        text = config.get_text_config()
        tokens = Tokens(weights.tokenizer, text.max_position_embeddings, text.vocab_size)
        head = LabelledHead(pictures, tokens, weights.tokenizer.pad_token_id or 0)
    else:
        head = GroundedHead(
            pictures, GroundingDinoProcessor(pictures.processor, weights.tokenizer), config.max_text_len
        )
    return _engine(weights, "detect_objects", head, AskedModel(weights.module, head.says))


def _depth(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModelForDepthEstimation

    weights = load_weights(plan, AutoModelForDepthEstimation, reads_text=False)
    head = DepthHead(_pictures(weights))
    return _engine(weights, "estimate_depth", head, PictureModel(weights.module, head.says))


def _parts(plan: LoadPlan) -> EncodeEngine:
    """Each pixel's class."""
    from transformers import AutoModelForSemanticSegmentation

    return _segmenter(load_weights(plan, AutoModelForSemanticSegmentation, reads_text=False), "logits")


def _things(plan: LoadPlan) -> EncodeEngine:
    """MaskFormer and Mask2Former: a class and a mask for each of some queries."""
    from transformers import AutoModelForUniversalSegmentation

    if plan.config.get("model_type") == "oneformer":
        return _tasked_things(plan)
    weights = load_weights(plan, AutoModelForUniversalSegmentation, reads_text=False)
    return _segmenter(weights, *_QUERIES)


def _tasked_things(plan: LoadPlan) -> EncodeEngine:
    """OneFormer: one set of weights that is told in words which parts are wanted."""
    from transformers import AutoModelForUniversalSegmentation

    weights = load_weights(plan, AutoModelForUniversalSegmentation)
    pictures = _pictures(weights, class_info_file=None)  # a file of another repository: which classes are things
    tasks = task_tokens(weights.tokenizer, weights.module.config.task_seq_len)
    head = TaskedSegmentsHead(pictures, _labels(weights), tasks, _QUERIES)
    return _engine(weights, "segment_pictures", head, AskedModel(weights.module, head.says))


def _detected_things(plan: LoadPlan) -> EncodeEngine:
    """DETR with masks."""
    from transformers import AutoModelForImageSegmentation

    return _segmenter(
        load_weights(plan, AutoModelForImageSegmentation, reads_text=False), "logits", "pred_boxes", "pred_masks"
    )


def _captioner(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModelForImageTextToText

    weights = load_weights(plan, AutoModelForImageTextToText)
    module, tokenizer = weights.module, weights.tokenizer
    text = module.config.get_text_config(decoder=True)
    tokens = Tokens(tokenizer, token_limit(module), text.vocab_size)
    begins = {"blip": begins_with_prompt(tokens), "git": begins_with_first_token(tokens)}
    begin = begins.get(module.config.model_type, begins_by_itself)
    head = CaptionsHead(_pictures(weights), tokenizer, begin, context_length(text))
    operation = "caption_pictures"
    model = weights.describe([operation], user_names(operation))
    return WritingEngine(Captioner(module), {operation: head}, model, plan.limits)


def _segmenter(weights: Weights, *says: str) -> EncodeEngine:
    pictures = _pictures(weights)
    kinds = kinds_of(pictures.processor)
    if says == ("logits",):
        kinds = ["semantic"]
    head = SegmentsHead(pictures, _labels(weights), kinds, says)
    return _engine(weights, "segment_pictures", head, PictureModel(weights.module, says))


def _pictures(weights: Weights, **changes: Any) -> ProcessedPictures:
    """What makes rows of pictures. Raises RequestFailed where the model brings no image processor."""
    try:
        return ProcessedPictures.of(weights.plan, weights.module.config, **changes)
    except Exception as error:
        raise load_failure(weights.plan, error) from error


def _labels(weights: Weights) -> Mapping[int, str]:
    """What the model's configuration calls its classes, by their numbers."""
    return {int(number): str(label) for number, label in sorted(weights.module.config.id2label.items())}


def _engine(weights: Weights, operation: str, head: Head, model: Encoder) -> EncodeEngine:
    return LookingEngine(
        model, {operation: head}, weights.describe([operation], user_names(operation)), weights.plan.limits
    )


_LOADERS: Mapping[str, Callable[[LoadPlan], EncodeEngine]] = {
    "ForImageClassification": _classifier,
    "ForImageClassificationWithTeacher": _classifier,
    "ForObjectDetection": _detector,
    "ForSemanticSegmentation": _parts,
    "ForUniversalSegmentation": _things,
    "ForInstanceSegmentation": _things,
    "ForSegmentation": _detected_things,
    "ForDepthEstimation": _depth,
    "Model": _features,
}
"""By how the architecture ends."""
