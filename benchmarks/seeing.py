"""Chats about pictures, beside transformers itself: how long until the first token, and that of a second question?

The model is a LLaVA of some 180 million random parameters, whose picture is 576 tokens, in fp32. The peer is what a
user writes without us: the processor, and `generate` for one token. Budgets: the first token within 1.1 of the peer's
time, and that of a second question about the same picture in half the time of the first one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "plugins" / "universal" / "tests"))  # where the small models are made

ROUNDS = 5
SLOWER = 1.1
SOONER = 2.0
TEXTS = ("What is this?", "And what colour does it have?")


def make_model(folder: Path) -> None:
    """A LLaVA with the sizes of a small real one, and its processor."""
    import torch
    import transformers as t
    from multimodal_models import MARKS, chat_template
    from tiny_models import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
    torch.manual_seed(0)
    vision = t.CLIPVisionConfig(
        hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, image_size=336,
        patch_size=14,
    )  # fmt: skip
    text = t.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
        num_attention_heads=12, num_key_value_heads=4, max_position_embeddings=4096, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    config = t.LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids("<image>")
    )
    pictures = t.CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    processor = t.LlavaProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=chat_template("<image>"),
    )  # fmt: skip
    t.LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


class Ours:
    """The text engine, in this process."""

    def __init__(self, folder: Path, spool: Any) -> None:
        from llamafarm_universal.host.engines.text.engine import TextEngine
        from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
        from llamafarm_universal.messages.plan import Limits
        from llamafarm_universal.store.plan import make_plan

        ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32"))
        self.engine = TextEngine.load(make_plan(ref, folder, Machine(), Limits()), 2**30)
        self._spool = spool
        self._asked = 0

    def first_token(self, picture: Any, text: str) -> float:
        """Seconds from a picture's file to the first token."""
        from llamafarm_universal.engine import Piece
        from llamafarm_universal.messages import ChatPrompt, Generate, Sampling
        from pictures import blob_of

        blob, told = blob_of(picture), []
        began = time.perf_counter()
        content = [{"type": "image"}, {"type": "text", "text": text}]
        prompt = ChatPrompt(({"role": "user", "content": content},), media=(blob,), folder=self._spool)
        work = Generate(prompt, Sampling(temperature=0.0, max_tokens=1, ignore_eos=True))
        self._asked += 1
        self.engine.submit(str(self._asked), work, self.engine.prepare(work), told.append)
        while self.engine.step():
            pass
        assert any(isinstance(event, Piece) for event in told) or told
        return time.perf_counter() - began


class Peer:
    """transformers."""

    def __init__(self, folder: Path) -> None:
        import transformers as t

        self._model = t.AutoModelForMultimodalLM.from_pretrained(folder).eval()
        self._processor = t.AutoProcessor.from_pretrained(folder)

    def first_token(self, picture: Any, text: str) -> float:
        """Seconds from a picture's file to the first token."""
        import io

        from pictures import png
        from PIL import Image

        content = png(picture)
        began = time.perf_counter()
        parts = [{"type": "image", "image": Image.open(io.BytesIO(content))}, {"type": "text", "text": text}]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": parts}], tokenize=True, return_dict=True, return_tensors="pt",
            add_generation_prompt=True,
        )  # fmt: skip
        self._model.generate(**inputs, max_new_tokens=1, do_sample=False)
        return time.perf_counter() - began


def main() -> None:
    from llamafarm_universal.device import use_threads
    from llamafarm_universal.engine import MediaSettings, decoder_of
    from llamafarm_universal.media.spool import Spool
    from pictures import noise

    use_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model")
        spool = Spool.open(folder / "spools", MediaSettings())
        with spool.request("req_1") as opened:
            ours, peer = Ours(folder / "model", opened), Peer(folder / "model")
            rows = []
            for number in range(-1, ROUNDS):  # the first one warms up
                picture = noise(number + 1, 640, 480)
                row = (peer.first_token(picture, TEXTS[0]), *(ours.first_token(picture, text) for text in TEXTS))
                rows += [row] if number >= 0 else []
        ours.engine.close()
        decoder_of(MediaSettings()).close()
        spool.close()
    plain, first, second = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"transformers, first token        {plain * 1000:7.0f} ms")
    print(f"ours, first token                {first * 1000:7.0f} ms   {first / plain:.2f} of transformers")
    print(f"ours, second question            {second * 1000:7.0f} ms   {first / second:.1f} times sooner")
    if first > SLOWER * plain or second > first / SOONER:
        sys.exit(f"over the budget: {SLOWER} of transformers, and {SOONER} times sooner")


if __name__ == "__main__":
    main()
