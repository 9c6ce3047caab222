"""Does the runtime's memory hold while pictures, recordings and captions are asked of more models than fit?

Two models that draw, two that transcribe and one that describes pictures are asked in random order by several clients,
under a budget that holds two of them. No request may fail. The memory that the models are reckoned with never passes
the budget, and neither does what they add to the runtime's processes; when all is done no file is left in the spool.
A model that draws has a process of its own, whose libraries are counted apart: they are there at rest already.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from processes import Watch
from residency import MB, Runtime, runtime, weigh

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests"))

from audio_models import make_whisper, noise, wav_of
from diffusion_models import make_stable_diffusion
from tiny_models import make_llama, make_tokenizer, make_word_tokenizer
from vision_models import make_vision_model

EACH = 100
CLIENTS = 4
PATIENCE = 300.0
SETTLING = 2.0


@dataclass(frozen=True)
class Model:
    """ask: has it do its work once. Returns a word for what was done."""

    folder: Path
    ask: Callable[[httpx.AsyncClient, str, random.Random], Awaitable[str]]


def larger(folder: Path, **sizes: Any) -> Path:
    """A model of transformers with other sizes, its weights drawn anew."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    for name, size in sizes.items():
        part, _, key = name.rpartition("__")
        setattr(getattr(config, part) if part else config, key, size)
    module = getattr(transformers, config.architectures[0])(config)
    module.generation_config = transformers.GenerationConfig.from_pretrained(folder)
    module.to(torch.float32).save_pretrained(folder)
    return folder


def larger_drawing(folder: Path, channels: tuple[int, int]) -> Path:
    from diffusers import UNet2DConditionModel

    config = dict(UNet2DConditionModel.load_config(folder / "unet")) | {"block_out_channels": channels}
    UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    return folder


def make_models(folder: Path) -> list[Model]:
    wide = {"d_model": 512, "encoder_attention_heads": 8, "decoder_attention_heads": 8}
    wide |= {"encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048}
    text = {f"text_config__{name}": size for name, size in _WIDE.items()} | {"text_config__encoder_hidden_size": 512}
    sight = {f"vision_config__{name}": size for name, size in _WIDE.items()}
    describing = make_vision_model(folder / "describes", "blip", make_word_tokenizer())
    return [
        *(
            Model(larger_drawing(make_stable_diffusion(folder / f"draws-{width}"), (width, width)), draw)
            for width in (320, 384)
        ),
        *(
            Model(larger(make_whisper(folder / f"hears-{layers}"), **wide, encoder_layers=layers), transcribe)
            for layers in (13, 15)
        ),
        Model(larger(describing, **text, **sight), describe),
    ]


_WIDE = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 5, "num_attention_heads": 8}


async def draw(client: httpx.AsyncClient, model: str, chance: random.Random) -> str:
    fields = {"model": model, "prompt": "a bc", "size": "64x64", "steps": 2, "seed": chance.randrange(1000)}
    answer = await client.post("/v1/images/generations", json=fields)
    picture = base64.b64decode(answer.raise_for_status().json()["data"][0]["b64_json"])
    assert picture.startswith(b"\x89PNG")
    return "pictures"


async def transcribe(client: httpx.AsyncClient, model: str, chance: random.Random) -> str:
    sound = wav_of(noise(chance.choice((1.0, 5.0, 20.0)), chance.randrange(1000)))
    files = {"file": ("noise.wav", sound, "audio/wav")}
    answer = await client.post("/v1/audio/transcriptions", data={"model": model, "temperature": "0"}, files=files)
    assert "text" in answer.raise_for_status().json()
    return "transcriptions"


async def describe(client: httpx.AsyncClient, model: str, chance: random.Random) -> str:
    picture = base64.b64encode(_picture(chance)).decode()
    answer = await client.post("/v1/vision/caption", json={"model": model, "input": picture, "max_tokens": 10})
    assert len(answer.raise_for_status().json()["data"]) == 1
    return "captions"


def _picture(chance: random.Random) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    size = chance.randrange(20, 900), chance.randrange(20, 900)
    Image.new("RGB", size, tuple(chance.randrange(256) for _ in range(3))).save(file, "PNG")
    return file.getvalue()


@dataclass
class Course:
    """What was done, what went wrong, and the most that loaded models were reckoned with at once."""

    done: Counter[str]
    failures: list[str]
    reckoned: int = 0


async def run(url: str, models: list[Model], each: int) -> Course:
    kinds: dict[Any, list[Model]] = {}
    for model in models:
        kinds.setdefault(model.ask, []).append(model)
    chance = random.Random(0)
    orders = [chance.choice(same) for same in kinds.values() for _ in range(each)]
    chance.shuffle(orders)
    course, left = Course(Counter(), []), iter(orders)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:

        async def ask() -> None:
            for model in left:
                try:
                    course.done[await model.ask(client, str(model.folder), chance)] += 1
                except (httpx.HTTPError, AssertionError, KeyError) as error:
                    text = error.response.text if isinstance(error, httpx.HTTPStatusError) else repr(error)
                    course.failures.append(f"{model.folder.name}: {text[:300]}")
                course.reckoned = max(course.reckoned, await _reckoned(client))

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return course


async def _reckoned(client: httpx.AsyncClient) -> int:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("llamafarm:model_bytes{"))


def at_rest(asked: Runtime, url: str, watch: Watch, small: list[Model], text: Path) -> int:
    """What the runtime takes when its libraries and decoders are there, and models of each kind have come and gone."""
    asked.chat(str(text))

    async def once() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:
            for model in small:
                await asyncio.gather(*(model.ask(client, str(model.folder), random.Random(0)) for _ in range(CLIENTS)))

    asyncio.run(once())
    time.sleep(SETTLING)
    taken = watch.now()
    for model in (text, *(each.folder for each in small)):
        asked.unload(str(model))
    return taken


def spooled(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=EACH, help="requests of each kind")
    each = parser.parse_args().each
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        text = make_llama(folder / "text", make_tokenizer())
        (folder / "small").mkdir()
        small = [
            Model(make_stable_diffusion(folder / "small/draws"), draw),
            Model(make_whisper(folder / "small/hears"), transcribe),
            Model(make_vision_model(folder / "small/describes", "blip", make_word_tokenizer()), describe),
        ]
        models = make_models(folder)
        sizes = sorted(weigh(model.folder) for model in models)
        budget = sizes[-1] + sizes[-2]
        print(f"models of {sizes[0] / MB:.0f} to {sizes[-1] / MB:.0f} MB, a budget of {budget / MB:.0f} MB")
        assert budget < sum(sizes[:3]), "three models fit"
        os.environ["UNIVERSAL_RUNTIME_SPOOL"] = str(folder / "spool")
        folders = [text, *(model.folder for model in [*small, *models])]
        with runtime(folder, budget, folders) as (asked, watch):
            url = f"http://{asked.place}"
            rest = at_rest(asked, url, watch, small, text)
            watch.forget()
            course = asyncio.run(run(url, models, each))
            time.sleep(SETTLING)
            left = spooled(folder / "spool")
            report(course, rest, watch, budget, left)


def report(course: Course, rest: int, watch: Watch, budget: int, left: list[Path]) -> None:
    added = watch.most - rest
    print(f"done: {dict(course.done)}, failed: {len(course.failures)}")
    print(*course.failures[:5], sep="\n")
    print(f"of {budget / MB:.0f} MB, models were reckoned with at most {course.reckoned / MB:.0f} MB")
    print(f"they added at most {added / MB:.0f} MB, in {watch.samples} samples; left in the spool: {len(left)} files")
    print(*left[:5], sep="\n")
    if course.failures or course.reckoned > budget or added > budget or left:
        sys.exit("the memory does not hold")


if __name__ == "__main__":
    main()
