"""Does drawing cost what diffusers' own loop costs, do equal requests share a batch, and do texts go on beside it?

A pipeline of Stable Diffusion's shape with random weights draws in this process, as diffusers does by itself, and in
the runtime, in turns, so that whatever else the machine does meets both. Then four clients ask at once and one after
another, and at last a text is streamed, first alone and then while one picture after the other is drawn.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from load import percentile, post
from models import SHAPES, folder_of
from processes import end_properly, started
from stream import connect

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests"))

from diffusion_models import make_stable_diffusion

SLOWER = 1.05
"""One picture of ours may take so many times as long as the bare loop's."""
TOGETHER = 1.3
"""So many times as fast are equal requests at once as one after another, where a batch of the bare loop is."""
OF_THE_GAIN = 0.9
"""Where the device gains less by a batch, ours gains at least so much of it."""
KEPT = 0.4
"""Of its rate, a text beside a picture."""
UNEVEN = 5.0
"""The 99th percentile of the time between tokens beside a picture, in medians."""
CLIENTS = 4
PROMPT = "a red fox"
BOUND = 600.0
_ALONE = 5.0  # seconds that the text goes on by itself
_BESIDE = 15.0  # and beside pictures, at least


@dataclass(frozen=True)
class Figures:
    """Seconds of one picture, of four (apart: one after another), and of the text, between its tokens.

    gaps_alone, gaps_beside: the 50th and 99th percentile. rate: tokens per second beside pictures, of the rate alone.
    """

    bare: float
    ours: float
    bare_apart: float
    bare_batch: float
    apart: float
    together: float
    gaps_alone: tuple[float, float]
    gaps_beside: tuple[float, float]
    rate: float

    @property
    def slower(self) -> float:
        return self.ours / self.bare

    @property
    def gain(self) -> float:
        return self.apart / self.together

    @property
    def bare_gain(self) -> float:
        """What the device has to give."""
        return self.bare_apart / self.bare_batch

    @property
    def wanted_gain(self) -> float:
        return min(TOGETHER, OF_THE_GAIN * self.bare_gain)

    def missed(self) -> list[str]:
        """The budgets that are not kept."""
        kept = {
            f"one picture takes {self.slower:.3f} times the bare loop's time": self.slower <= SLOWER,
            f"four at once are not {self.wanted_gain:.2f} times as fast": self.gain >= self.wanted_gain,
            f"a text keeps {self.rate:.0%} of its rate": self.rate >= KEPT,
            "a text beside a picture is uneven": self.gaps_beside[1] < UNEVEN * self.gaps_beside[0],
        }
        return [budget for budget, is_kept in kept.items() if not is_kept]


def write_model(folder: Path, channels: tuple[int, int], side: int) -> Path:
    """A pipeline whose denoiser takes what time there is: `channels` of its two levels, latents of `side`."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    make_stable_diffusion(folder)
    for part, kind, changes in (
        ("unet", UNet2DConditionModel, {"block_out_channels": channels, "norm_num_groups": 32, "sample_size": side}),
        ("vae", AutoencoderKL, {"block_out_channels": [32, 64], "norm_num_groups": 32}),
    ):
        kind.from_config({**kind.load_config(folder / part), **changes}).save_pretrained(folder / part)
    return folder


class Bare:
    """Diffusers' own loop in this process."""

    def __init__(self, folder: Path, steps: int) -> None:
        from diffusers import AutoPipelineForText2Image

        self._pipeline = AutoPipelineForText2Image.from_pretrained(folder, use_safetensors=True)
        self._pipeline.set_progress_bar_config(disable=True)
        self._steps = steps

    def seconds(self, pictures: int = 1) -> float:
        """What one call takes that draws so many."""
        import torch

        generators = [torch.Generator().manual_seed(seed) for seed in range(pictures)]
        began = time.perf_counter()
        self._pipeline([PROMPT] * pictures, num_inference_steps=self._steps, generator=generators)
        return time.perf_counter() - began


class Runtime:
    """Ours, over HTTP. place: host and port."""

    def __init__(self, place: str, pictures: Path, text: Path, steps: int) -> None:
        self.place = place
        self.text = str(text)
        self._body = {"model": str(pictures), "prompt": PROMPT, "steps": steps}

    async def seconds(self, clients: int = 1, *, at_once: bool = True) -> float:
        """What so many requests for a picture take, at once or one after another."""
        async with httpx.AsyncClient(base_url=f"http://{self.place}", timeout=BOUND) as client:
            began = time.perf_counter()
            if at_once:
                await asyncio.gather(*(self._draw(client, seed) for seed in range(clients)))
            else:
                for seed in range(clients):
                    await self._draw(client, seed)
            return time.perf_counter() - began

    async def _draw(self, client: httpx.AsyncClient, seed: int) -> None:
        answer = await client.post("/v1/images/generations", json={**self._body, "seed": seed})
        [picture] = answer.raise_for_status().json()["data"]
        assert base64.b64decode(picture["b64_json"]).startswith(b"\x89PNG")

    async def gaps(self, alone: float, beside: float) -> tuple[list[float], list[float]]:
        """Seconds between the tokens of a text that goes on: alone, and while pictures are drawn, so long at least."""
        host, _, port = self.place.rpartition(":")
        connection = await connect(host, int(port), BOUND)
        fields = {"model": self.text, "prompt": PROMPT, "stream": True, "ignore_eos": True}
        await connection.record(post(self.place, "/v1/completions", {**fields, "max_tokens": 2}))
        going = asyncio.create_task(
            connection.record(post(self.place, "/v1/completions", {**fields, "max_tokens": 30_000}))
        )
        await asyncio.sleep(alone)
        began = time.perf_counter()
        while time.perf_counter() < began + beside and not going.done():
            await self.seconds()
        ended = time.perf_counter()
        going.cancel()
        connection.close()
        pairs = list(pairwise([moment for moment, _ in connection.arrivals[1:]]))
        by_itself = [after - before for before, after in pairs if after < began]
        with_pictures = [after - before for before, after in pairs if began < before and after < ended]
        return by_itself, with_pictures


@contextmanager
def runtime(folder: Path, pictures: Path, text: Path, steps: int) -> Iterator[Runtime]:
    config = folder / "runtime.yaml"
    config.write_text(yaml.safe_dump({"models": [{"id": str(model)} for model in (pictures, text)]}))
    environ = {**os.environ, "UNIVERSAL_RUNTIME_CONFIG": str(config), "LF_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "llamafarm_universal.server", "--port", "0"]
    with (folder / "log").open("wb") as log, started(command, stdout=subprocess.PIPE, stderr=log, env=environ) as ours:
        assert ours.stdout is not None
        line = ours.stdout.readline().split()
        if not line:
            sys.exit(f"the runtime does not start:\n{(folder / 'log').read_text()[-2000:]}")
        yield Runtime(urlsplit(line[-1]).netloc, pictures, text, steps)


def measure(bare: Bare, ours: Runtime, rounds: int, seconds: tuple[float, float]) -> Figures:
    """In turns; the first of each is left out, since it loads and warms. seconds: of the text, alone and not alone."""
    ask = asyncio.run
    bare.seconds()
    ask(ours.seconds())
    singles = [(bare.seconds(), ask(ours.seconds())) for _ in range(rounds)]
    bare.seconds(CLIENTS)
    fours = [
        (
            sum(bare.seconds() for _ in range(CLIENTS)),
            bare.seconds(CLIENTS),
            ask(ours.seconds(CLIENTS, at_once=False)),
            ask(ours.seconds(CLIENTS)),
        )
        for _ in range(rounds)
    ]
    alone, beside = ask(ours.gaps(*seconds))
    middle: Any = [median(column) for column in [*zip(*singles, strict=True), *zip(*fours, strict=True)]]
    kept = (len(beside) / sum(beside)) / (len(alone) / sum(alone))
    spread = [(percentile(gaps, 0.5), percentile(gaps, 0.99)) for gaps in (alone, beside)]
    return Figures(*middle, *spread, kept)


def show(figures: Figures) -> None:
    print(f"one picture: bare {figures.bare:.3f} s, ours {figures.ours:.3f} s: {figures.slower:.3f} times")
    print(f"{CLIENTS} pictures: one after another {figures.apart:.3f} s, at once {figures.together:.3f} s: "
          f"{figures.gain:.2f} times as fast; the bare loop gains {figures.bare_gain:.2f} by a batch")  # fmt: skip
    for name, (usual, late) in {"alone": figures.gaps_alone, "beside pictures": figures.gaps_beside}.items():
        print(f"ms between tokens, {name}: p50 {usual * 1000:.1f}, p99 {late * 1000:.1f}")
    print(f"a text keeps {figures.rate:.0%} of its rate beside pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--text", default="26m", help=f"the model that writes: one of {', '.join(SHAPES)}, or a folder")
    parser.add_argument("--channels", type=int, nargs=2, default=[64, 128], help="of the denoiser's two levels")
    parser.add_argument("--side", type=int, default=32, help="of the latents; a picture's is twice as long")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", type=float, default=_ALONE, help="seconds of a text by itself")
    parser.add_argument("--beside", type=float, default=_BESIDE, help="seconds of a text beside pictures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    given = parser.parse_args()
    end_properly()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        pictures = write_model(folder / "pictures", tuple(given.channels), given.side)
        with runtime(folder, pictures, folder_of(given.text), given.steps) as ours:
            figures = measure(Bare(pictures, given.steps), ours, given.rounds, (given.alone, given.beside))
    show(figures)
    if given.json:
        given.json.write_text(json.dumps({**asdict(figures), "load": os.getloadavg()[0]}, indent=1))
    if missed := figures.missed():
        sys.exit("over the budget: " + "; ".join(missed))


if __name__ == "__main__":
    main()
