"""From a plan to an encode engine: which encoder runs the model, and which heads it has."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.engine import CountTexts, Limits, LoadPlan, RequestFailed
from llamafarm_universal.host.engines.encode.base import Encoder, Head
from llamafarm_universal.host.engines.encode.classify import Activation, ClassifyHead, PairScoreHead
from llamafarm_universal.host.engines.encode.embed import EmbedHead, Pictures, Texts, VectorScoreHead
from llamafarm_universal.host.engines.encode.encoders import (
    LogitsEncoder,
    PooledEncoder,
    SentenceEncoder,
    reads_types,
)
from llamafarm_universal.host.engines.encode.engine import EncodeEngine
from llamafarm_universal.host.engines.encode.entities import EntitiesHead
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.sentence import PlainTexts, SentenceTexts
from llamafarm_universal.host.engines.encode.tokens import Tokens
from llamafarm_universal.host.engines.encode.towers import PaddedTextTower, PictureTower, TextTower, Towers
from llamafarm_universal.host.engines.encode.zero_shot import LabelsHead, Likeness
from llamafarm_universal.host.engines.text.limits import context_length, token_limit
from llamafarm_universal.host.models.adapters import merged, tokenizer_folder
from llamafarm_universal.host.models.loader import (
    Weights,
    load_failure,
    load_weights,
    ready_weights,
    refuse_missing,
    unmarked,
)
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.task import sentence_settings

SEQUENCES, TOKENS = "ForSequenceClassification", "ForTokenClassification"
"""How the architectures end that have a head for classes."""
_UNREAD = ("pooler.",)
"""BERT's own way to one vector for a text. Vectors are made of the last hidden states here, and many who train for that
save none."""
READS_PICTURES = "vision"
log = logging.getLogger(__name__)


def load_encoder(plan: LoadPlan) -> EncodeEngine:
    """Read the weights. Raises RequestFailed, also where a task needs a head that the model does not have."""
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    architecture = _architecture(plan)
    if plan.task in ("reranking", "classification") and architecture.endswith(SEQUENCES):
        return sequence_classifier(load_weights(plan, AutoModelForSequenceClassification))
    if plan.task == "ner" and architecture.endswith(TOKENS):
        return token_classifier(load_weights(plan, AutoModelForTokenClassification))
    if plan.task in ("classification", "ner"):
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` has no head for `{plan.task}`: its architecture is `{architecture}`.",
            hint=f"Use a model whose architecture ends in `{TOKENS if plan.task == 'ner' else SEQUENCES}`.",
            param="model",
        )
    return _embedder(plan)


def sharing(weights: Weights, limits: Limits) -> EncodeEngine:
    """Embed with weights that another engine has loaded."""
    return _pooled(weights, limits)


def sequence_classifier(weights: Weights) -> EncodeEngine:
    """Classes of texts; scores of pairs where the model has a single class."""
    config = weights.module.config
    tokens = _tokens(weights)
    labels = _labels(config)
    heads: dict[str, Head] = {"classify": ClassifyHead(tokens, labels, class_activation(config, len(labels)))}
    if len(labels) == 1:
        heads["score"] = PairScoreHead(tokens, _pair_activation(config, weights.plan.folder))
    encoder = LogitsEncoder(weights.module, _filler(weights))
    return _engine(weights, encoder, heads, tokens, weights.plan.limits)


def token_classifier(weights: Weights) -> EncodeEngine:
    """Names in texts. Raises RequestFailed for a tokenizer that does not tell where its tokens stand."""
    if not weights.tokenizer.is_fast:
        raise RequestFailed(
            "not_supported",
            f"`{weights.plan.ref.id}` has a tokenizer that does not tell where in a text its tokens stand.",
            hint="Use a model with a tokenizer.json.",
            param="model",
        )
    tokens = _tokens(weights)
    heads: dict[str, Head] = {"find_entities": EntitiesHead(tokens, _labels(weights.module.config))}
    encoder = LogitsEncoder(weights.module, _filler(weights))
    return _engine(weights, encoder, heads, tokens, weights.plan.limits)


def _embedder(plan: LoadPlan) -> EncodeEngine:
    from transformers import AutoModel, AutoModelForTextEncoding

    if (plan.folder / "modules.json").is_file() and not _is_clip_alone(plan.folder):
        return _sentence(plan)
    half = plan.config.get("is_encoder_decoder") or _architecture(plan).endswith("EncoderModel")
    weights = load_weights(plan, AutoModelForTextEncoding if half else AutoModel, unread=_UNREAD)
    return _towers(weights) if hasattr(weights.module, "get_text_features") else _pooled(weights, plan.limits)


def _is_clip_alone(folder: Path) -> bool:
    """Whether sentence-transformers' layout holds nothing but CLIP, which is read as transformers' own then."""
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    return [str(module.get("type")).rpartition(".")[2] for module in modules] == ["CLIPModel"]


def load_towers(plan: LoadPlan) -> EncodeEngine:
    """Read a model that has pictures and texts in one space. Raises RequestFailed."""
    return _embedder(plan)


def _towers(weights: Weights) -> EncodeEngine:
    """CLIP and its kin."""
    config = weights.module.config.get_text_config()
    texts = _text_tower(weights, config)
    tokens = Tokens(weights.tokenizer, context_length(config), config.vocab_size)
    [vector] = texts.encode([Row((_filler(weights),))])
    pictures = _pictures(weights, len(vector))
    encoder = texts if pictures is None else Towers(texts, PictureTower(weights.module))
    heads = _vector_heads(PlainTexts(tokens), len(vector), pictures)
    if pictures is not None and (likeness := Likeness.of(weights.module)):
        heads["label_pictures"] = LabelsHead(PlainTexts(tokens), pictures, likeness)
    return _engine(weights, encoder, heads, tokens, weights.plan.limits, len(vector))


def _text_tower(weights: Weights, config: Any) -> TextTower:
    """SigLIP reads texts that are padded to all its positions. config: of its half for texts."""
    if not weights.module.config.model_type.startswith("siglip"):
        return TextTower(weights.module, _filler(weights))
    left = weights.tokenizer.padding_side == "left"
    return PaddedTextTower(weights.module, _filler(weights), int(config.max_position_embeddings), left=left)


def _pictures(weights: Weights, dimensions: int) -> ProcessedPictures | None:
    """What makes rows of pictures; None for a model that has texts alone, or whose pictures cannot be read here."""
    if not hasattr(weights.module, "get_image_features"):
        return None
    plan = weights.plan
    try:
        pictures = ProcessedPictures.of(plan, weights.module.config)
        [vector] = PictureTower(weights.module).encode([pictures.sample()])
    except Exception as error:  # noqa: BLE001 - its texts can be read all the same
        log.warning("`%s` reads texts only: its pictures cannot be read here: %s", plan.ref.id, error)
        return None
    return pictures if len(vector) == dimensions else None


def _pooled(weights: Weights, limits: Limits) -> EncodeEngine:
    module = weights.module
    tokens = _tokens(weights)
    encoder = PooledEncoder(module, _filler(weights), "last" if _is_decoder(module) else "mean")
    dimensions = int(module.config.get_text_config().hidden_size)
    return _engine(weights, encoder, _vector_heads(PlainTexts(tokens), dimensions), tokens, limits, dimensions)


def _sentence(plan: LoadPlan) -> EncodeEngine:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    try:
        model = SentenceTransformer(
            str(plan.folder),
            device=plan.device,
            trust_remote_code=plan.ref.settings.trust_remote_code,
            local_files_only=True,
            model_kwargs={"dtype": torch_dtype(plan.dtype), "use_safetensors": True},
        )
    except Exception as error:
        raise load_failure(plan, error) from error
    if not isinstance(model[0], Transformer):
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` begins with a {type(model[0]).__name__}; only transformers embed here.",
            param="model",
        )
    refuse_missing(plan, model[0].model, unmarked(model[0].model), _UNREAD)
    if plan.adapter is not None:
        _adapt(model, plan, plan.adapter)
    model.eval().requires_grad_(False)
    weights = ready_weights(plan, model, model.tokenizer, model[0].model)
    limits = [limit for limit in (model.max_seq_length, token_limit(model[0].model)) if limit is not None]
    tokens = Tokens(model.tokenizer, min(limits, default=None), len(model.tokenizer))
    dimensions = int(model.get_embedding_dimension())
    heads = _vector_heads(SentenceTexts(model, tokens), dimensions)
    return _engine(weights, SentenceEncoder(model, plan.device), heads, tokens, plan.limits, dimensions)


def _adapt(model: Any, plan: LoadPlan, adapter: Path) -> None:
    """Merge an adapter into the transformer that a sentence encoder begins with. Raises RequestFailed."""
    from transformers import AutoTokenizer

    try:
        if tokenizer_folder(plan) == adapter:
            model[0].processor = AutoTokenizer.from_pretrained(adapter, local_files_only=True)
        model[0].model = merged(model[0].model, model.tokenizer, plan, adapter)
    except RequestFailed:
        raise
    except Exception as error:
        raise load_failure(plan, error) from error


def _vector_heads(texts: Texts, dimensions: int, pictures: Pictures | None = None) -> dict[str, Head]:
    return {"embed": EmbedHead(texts, dimensions, pictures), "score": VectorScoreHead(texts)}


def _engine(
    weights: Weights,
    encoder: Encoder,
    heads: Mapping[str, Head],
    tokens: Tokens,
    limits: Limits,
    dimensions: int | None = None,
) -> EncodeEngine:
    features = [user_names(operation)[0] for operation in heads]
    if isinstance(encoder, Towers):
        features.append(READS_PICTURES)
    operations = [*heads, CountTexts.operation]
    model = weights.describe(operations, features, tokens.limit, dimensions)
    return EncodeEngine(encoder, heads, model, limits, tokens.counts)


def _architecture(plan: LoadPlan) -> str:
    return str((plan.config.get("architectures") or [""])[0])


def _tokens(weights: Weights) -> Tokens:
    module = weights.module
    vocabulary = int(module.get_input_embeddings().weight.shape[0])
    return Tokens(weights.tokenizer, token_limit(module), vocabulary, typed=reads_types(module))


def _filler(weights: Weights) -> int:
    return weights.tokenizer.pad_token_id or 0


def _labels(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label[number]) for number in range(config.num_labels))


def class_activation(config: Any, classes: int) -> Activation:
    """What the model's problem type says. Source: transformers' text classification pipeline."""
    if config.problem_type == "regression":
        return "none"
    return "sigmoid" if config.problem_type == "multi_label_classification" or classes == 1 else "softmax"


def _pair_activation(config: Any, folder: Path) -> Activation:
    """What the author configured, else a sigmoid. Source: sentence-transformers' CrossEncoder."""
    named = [
        sentence_settings(folder).get("activation_fn"),
        (getattr(config, "sentence_transformers", None) or {}).get("activation_fn"),
        getattr(config, "sbert_ce_default_activation_function", None),
    ]
    path = next(filter(None, named), "Sigmoid")
    return "none" if str(path).endswith("Identity") else "sigmoid"


def _is_decoder(module: Any) -> bool:
    """Whether each token sees only those before it."""
    config = module.config.get_text_config()
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as DECODERS
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    return bool(getattr(config, "is_decoder", False)) or (
        config.model_type in DECODERS and config.model_type not in ENCODERS
    )
