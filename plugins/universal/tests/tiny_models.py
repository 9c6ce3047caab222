"""Small models with random weights, built from their configuration classes."""

from __future__ import annotations

import json
import string
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

WORDS = [
    "hello",
    "world",
    "the",
    "quick",
    "brown",
    "fox",
    "jump",
    "##ing",
    "##ed",
    "over",
    "lazy",
    "dog",
    "london",
    "ada",
]
CHAT_TEMPLATE = (
    "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'robot' %}{{ raise_exception('No robots, please.') }}{% endif %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function.arguments.city }}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer() -> Any:
    """A byte-level tokenizer with ChatML's special tokens, so small that most words are several tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["hello world, the quick brown fox jumps over the lazy dog"] * 10, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=1024
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def make_word_tokenizer() -> Any:
    """BERT's kind of tokenizer: words, pieces of words that begin with ##, and [CLS] and [SEP] around each text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), *".,!?-'"]
    vocabulary = {piece: at for at, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *pieces])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    named = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in named.items()}
    )


def make_byte_fallback_tokenizer(*, strips: bool) -> Any:
    """A SentencePiece-style tokenizer: `▁` is a space, and what is in no piece is spelled in bytes, `<0xE2>`.

    strips: whether a text loses the space that it begins with, as in Llama 2; in Gemma it does not.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    named = ["<unk>", "<s>", "</s>", "<pad>"]
    pieces = [*map(chr, range(0x21, 0x7F)), "▁", "▁▁", "▁h", "▁w", "th", "▁th", "▁the", "é"]
    vocabulary = {piece: token for token, piece in enumerate([*named, *(f"<0x{b:02X}>" for b in range(256)), *pieces])}
    merges = [("▁", "▁"), ("▁", "h"), ("▁", "w"), ("t", "h"), ("▁", "th"), ("▁th", "e")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if strips else [])])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    wrapped.add_tokens([AddedToken("<think>"), AddedToken("[MARK]", special=True)])
    return wrapped


def make_llama(folder: Path, tokenizer: Any, **changes: Any) -> Path:
    """A causal model with 1,024 tokens of context and a chat template. changes: of its configuration."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": 0.4,  # far apart, so that the likeliest token is clear
    }
    LlamaForCausalLM(LlamaConfig(**{**settings, **changes})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_bert(folder: Path, tokenizer: Any, head: str, *labels: str) -> Path:
    """A model that names texts of 64 tokens, or their tokens. head: `SequenceClassification`, `TokenClassification`."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    getattr(transformers, f"BertFor{head}")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_towers(folder: Path, tokenizer: Any, family: str = "CLIP") -> Path:
    """A model with pictures of 16 x 16 pixels and texts in one space. family: `CLIP`, `Siglip` or `Siglip2`."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id or tokenizer.sep_token_id}
    text = {**sizes, **ends, "vocab_size": len(tokenizer), "pad_token_id": 0, "max_position_embeddings": 64}
    vision = {**sizes, "patch_size": 8, **({"num_patches": 16} if family == "Siglip2" else {"image_size": 16})}
    both = {"projection_dim": 32} if family == "CLIP" else {}
    config = getattr(transformers, f"{family}Config")(text_config=text, vision_config=vision, **both)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    square = {"height": 16, "width": 16}
    shapes: dict[str, dict[str, Any]] = {
        "CLIP": {"size": {"shortest_edge": 16}, "crop_size": square},
        "Siglip": {"size": square},
        "Siglip2": {"patch_size": 8, "max_num_patches": 16},
    }
    getattr(transformers, f"{family}ImageProcessorPil")(**shapes[family]).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_reciting_model(folder: Path, pieces: list[str], special: set[str], template: str) -> Path:
    """A causal model that answers everything with the same pieces, each a token of its own, and then ends.

    pieces: no two alike. special: which tokens are special, among them or not. Attention and MLP add nothing to the
    last token, which is one dimension of its own; the head maps each piece to the next, everything else to the first.
    """
    import torch
    from tokenizers import AddedToken
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    added = [*pieces, *sorted(special - set(pieces))]
    tokenizer.add_tokens([AddedToken(name, special=name in special, normalized=False) for name in added])
    tokenizer.chat_template = template
    size = len(tokenizer) + -len(tokenizer) % 4
    settings = {"vocab_size": size, "hidden_size": size, "intermediate_size": 4, "num_hidden_layers": 1}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    model = LlamaForCausalLM(LlamaConfig(**settings, num_attention_heads=2, max_position_embeddings=1024, **ends))
    chain = [*tokenizer.convert_tokens_to_ids(pieces), tokenizer.eos_token_id]
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.lm_head.weight.zero_()[chain[0], :] = 1.0
        for now, following in pairwise(chain):
            model.lm_head.weight[following, now] = 4.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, name: str, config: Any = None, kind: str = "AutoModelForCausalLM") -> Path:
    """An adapter with random changes. name: how it calls its base model, of class `kind`. config: peft's; LoRA."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an old name, and says what it saves
        tuned = get_peft_model(getattr(transformers, kind).from_pretrained(base), config or lora)
        tuned.save_pretrained(folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": name}))
    return folder
