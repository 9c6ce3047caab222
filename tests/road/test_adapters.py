"""Adapters through the whole road: `lf`, the API as OpenAI's client sees it, and one model in memory for all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from commands import Served
from counting_model import counted
from farms import Farm
from projects import configure
from saying_adapter import make_saying_adapter

SAID = {"counting": counted(6), "counting:sevens": " seven" * 6, "counting:twos": " two" * 6}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, counting: Path) -> Iterator[Farm]:
    """A project whose model counts, and says sevens or twos with an adapter."""
    farm = configure(Farm(tmp_path_factory.mktemp("tuned")), counting)
    for word in ("seven", "two"):
        make_saying_adapter(counting, farm.folder / f"{word}s", word)
    misfit = make_saying_adapter(counting, farm.folder / "misfit", "one")
    (misfit / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    farm.write(
        f"""
        name: tuned
        runtime:
          models:
            - name: counting
              provider: universal
              model: {counting}
              model_api_parameters: {{max_tokens: 6, temperature: 0}}
              adapters:
                - {{name: sevens, model: ./sevens}}
                - {{name: twos, model: ./twos}}
                - {{name: misfit, model: ./misfit}}
        """
    )
    yield farm
    farm.end_services()


@pytest.fixture(scope="module")
def client(tuned: Farm) -> Iterator[openai.OpenAI]:
    with (
        Served(tuned) as root,
        openai.OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0, timeout=90) as made,
    ):
        yield made


def ask(client: openai.OpenAI, model: str) -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Go on"}])
    return str(answer.choices[0].message.content)


def test_each_adapter_is_a_model_that_clients_see_and_ask(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "counting",
        "counting:sevens",
        "counting:twos",
        "counting:misfit",
    ]
    assert {model: ask(client, model) for model in SAID} == SAID


def test_all_are_answered_at_once_by_one_model_in_memory(client: openai.OpenAI, tuned: Farm) -> None:
    models = list(SAID) * 6
    with ThreadPoolExecutor(len(models)) as pool:
        answers = list(pool.map(lambda model: ask(client, model), models))
    assert answers == [SAID[model] for model in models]
    rows = httpx.get(f"{tuned.runtime}/v1/models").json()["data"]
    loaded = {row["settings"]["adapter"] and Path(row["settings"]["adapter"]).name: row["memory_bytes"] for row in rows}
    assert loaded.keys() == {None, "sevens", "twos"}
    assert loaded["sevens"] == loaded["twos"] < 10_000 < loaded[None]


def test_an_adapter_that_there_is_not_is_a_404_that_names_those_there_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no model 'counting:seven'") as caught:
        ask(client, "counting:seven")
    assert "Did you mean counting:sevens" in caught.value.message
    assert "Models: counting, counting:sevens, counting:twos, counting:misfit" in caught.value.message


def test_one_that_does_not_fit_says_why_and_the_others_answer(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="is of the kind IA3: only LoRA can be put beside"):
        ask(client, "counting:misfit")
    assert ask(client, "counting:twos") == SAID["counting:twos"]


def test_the_command_line_asks_an_adapter_and_lists_it(tuned: Farm) -> None:
    done = tuned.lf("chat", "--model", "counting:sevens", "Go on")
    assert (done.returncode, done.stdout.strip()) == (0, SAID["counting:sevens"].strip()), done.stderr
    rows = json.loads(tuned.lf("models", "list", "--json").stdout)
    names = [row["id"] for row in (rows["data"] if isinstance(rows, dict) else rows)]
    assert names == ["counting", "counting:sevens", "counting:twos", "counting:misfit"]


def test_an_adapter_is_shown_as_itself_and_lists_its_own_memory(client: openai.OpenAI, tuned: Farm) -> None:
    ask(client, "counting:sevens")
    shown = tuned.lf("models", "show", "counting:sevens").stdout
    facts = {key: text.strip() for key, text in (line.split(":", 1) for line in shown.splitlines())}
    assert facts["name"] == "counting:sevens"
    assert (facts["adapter model"], facts["adapter kind"]) == (str(tuned.folder / "sevens"), "LoRA")
    assert (facts["adapter rank"], facts["adapter changes"], facts["adapter scale"]) == ("1", "lm_head", "1.0")
    assert "embeddings" not in facts["capabilities"]
    rows = {row["id"]: row for row in json.loads(tuned.lf("models", "list", "--json").stdout)}
    own, whole, misfit = (rows[name] for name in ("counting:sevens", "counting", "counting:misfit"))
    assert own["memory_bytes"] < 10_000 < whole["memory_bytes"]
    assert own["size_bytes"] < 10_000 < whole["size_bytes"]
    assert (misfit["state"], misfit["memory_bytes"]) == ("downloaded", None)
    assert misfit["details"]["adapter"]["kind"] == "IA3"
    assert "only LoRA can be put on a loaded model" in misfit["detail"]


def test_an_adapter_can_be_the_default(tuned: Farm) -> None:
    path = tuned.folder / "llamafarm.yaml"
    before = path.read_text()
    path.write_text(before.replace("runtime:", "runtime:\n          default_model: counting:twos", 1))
    try:
        done = tuned.lf("chat", "Go on")
        assert done.stdout.strip() == SAID["counting:twos"].strip(), done.stderr
    finally:
        path.write_text(before)
