"""A model whose answers are known: a real Llama whose weights are set so that it counts, and never comes to an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CONTEXT = 32768
"""So long that an answer without a limit goes on for minutes: whoever wants to break one off finds it running."""

_HIDDEN = 320
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def counted(words: int) -> str:
    """What the model says in that many tokens, each a word."""
    return " ".join(WORDS[i % len(WORDS)] for i in range(words))


def make_counting_model(folder: Path) -> Path:
    """Write the model to `folder`.

    The residual stream carries the last token alone, one dimension each, because attention and MLP add nothing to it;
    the head maps each number to the next one, and everything else to `one`.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=_HIDDEN,
        intermediate_size=_HIDDEN,
        num_hidden_layers=4,
        num_attention_heads=5,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(tokenizer), _HIDDEN))
        head = model.lm_head.weight.zero_()
        first, *others = [_token(tokenizer, word if i == 0 else f" {word}") for i, word in enumerate(WORDS)]
        again = _token(tokenizer, f" {WORDS[0]}")
        head[first, :] = 1.0
        for now, following in zip([first, *others], [*others, again], strict=True):
            head[following, now] = 4.0
        head[others[0], again] = 4.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """A byte-level tokenizer that has each number, with and without a space before it, as one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_HIDDEN,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{word} {word}" for word in WORDS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=_TEMPLATE
    )


def _token(tokenizer: Any, text: str) -> int:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert len(ids) == 1, f"{text!r} is {len(ids)} tokens"
    return int(ids[0])
