"""The documented configurations of the Universal Runtime, run from end to end with small models.

Each is of the architecture that it stands for, but for Qwen's, in whose place one counts.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from commands import Served
from counting_model import counted
from drawing_model import make_drawing_model
from farms import Farm
from PIL import Image
from projects import MINILM
from transformers import AutoTokenizer

LAKE = "a serene mountain lake at sunset"
DOCUMENTED = Path(__file__).parents[1] / "config" / "documented"
SMALL = {"default_steps: 30": "default_steps: 3", '"512x512"': '"48x32"'}
"""What the example asks of a picture, as far as it is a matter of time."""


def make_phi(folder: Path, tokenizer: Any) -> Path:
    from transformers import PhiConfig, PhiForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    PhiForCausalLM(PhiConfig(vocab_size=len(tokenizer), **sizes, eos_token_id=None)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_nomic(folder: Path, tokenizer: Any) -> Path:
    from transformers import NomicBertConfig, NomicBertModel

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    NomicBertModel(NomicBertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def project(shared: Farm, counting: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Farm]:
    """project(name, whole) is a project with a documented configuration, in the runtime of the shared one.

    whole: with the sections whose plugins are not there.
    """
    models = tmp_path_factory.mktemp("documented")
    tokenizer = AutoTokenizer.from_pretrained(counting)
    here = {
        "Qwen/Qwen2.5-0.5B-Instruct": counting,
        "microsoft/phi-2": make_phi(models / "phi", tokenizer),
        "sentence-transformers/all-MiniLM-L6-v2": f'"{MINILM}"',
        "stabilityai/stable-diffusion-2-1": make_drawing_model(models / "sd"),
        "nomic-ai/nomic-embed-text-v1.5": make_nomic(models / "nomic", tokenizer),
        "http://127.0.0.1:11540": shared.runtime,
        **SMALL,
    }

    def made(name: str, whole: bool = True) -> Farm:
        text = (DOCUMENTED / name).read_text()
        for large, small in here.items():
            text = text.replace(large, str(small))
        farm = Farm(tmp_path_factory.mktemp("project"), {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
        farm.write(text if whole else re.sub(r"^rag:.*", "", text, flags=re.DOTALL | re.MULTILINE))
        return farm

    return made


def size_and_pixels(content: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size, picture.tobytes()


def test_chat_embeddings_and_pictures_side_by_side(project: Callable[..., Farm]) -> None:
    farm = project("6_universal_models.yaml")
    assert farm.lf("config", "validate").returncode == 0
    said = farm.lf("chat", "--model", "fast", "--max-tokens", "4", "Hello")
    assert said.stdout.strip() == counted(4)
    drawn = farm.lf("image", LAKE, "--model", "image-gen", "-o", "lake.png", "--seed", "3")
    assert drawn.returncode == 0, drawn.stderr
    assert size_and_pixels((farm.folder / "lake.png").read_bytes())[0] == (48, 32)
    with Served(farm) as root, openai.OpenAI(base_url=f"{root}/v1", api_key="none", timeout=90) as client:
        chat = client.chat.completions.create(
            model="balanced", messages=[{"role": "user", "content": "Hello"}], max_tokens=5
        )
        vectors = client.embeddings.create(model="embedder", input=["a lake", "a mountain"])
        picture = client.images.generate(model="image-gen", prompt=LAKE, extra_body={"seed": 3})
    assert chat.usage.completion_tokens == 5
    assert [len(row.embedding) for row in vectors.data] == [384, 384]
    same = base64.b64decode(picture.data[0].b64_json)
    assert size_and_pixels(same) == size_and_pixels((farm.folder / "lake.png").read_bytes())


def test_a_chat_with_the_embeddings_of_its_documents(project: Callable[..., Farm]) -> None:
    """The section `rag` needs a plugin, which its error names; the runtime's part works."""
    whole = project("7_rag.yaml").lf("config", "validate")
    assert whole.returncode == 0 or "llamafarm-rag" in whole.stderr
    farm = project("7_rag.yaml", whole=False)
    said = farm.lf("chat", "--model", "chat", "--max-tokens", "5", "--json", "Hello")
    assert said.returncode == 0, said.stderr
    embedded = farm.lf("embed", "--model", "embedder", "--json", "a lake", "a mountain")
    assert embedded.returncode == 0, embedded.stderr
    assert [len(row["embedding"]) for row in json.loads(embedded.stdout)["data"]] == [32, 32]
