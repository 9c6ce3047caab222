"""Handles say all there is to know, so that any server can answer to one that another gave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llamafarm.errors import LlamaFarmError
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.server.handles import Handles, handle_of
from llamafarm_universal.server.operator import Operator, checked_id
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving

HERE = Handles(Operator(token="secret"))
REPLICA = Handles(Operator(token="secret"))
STRANGER = Handles(Operator(token="another"))
OPEN = Handles(Operator())


@pytest.mark.parametrize(("model", "settings", "handle"), [
    ("org/model", {}, "org/model"),
    ("org/model", {"dtype": "bf16", "device": "cpu"}, "org/model@device=cpu,dtype=bf16"),
    ("org/model", {"quantization": "int8"}, "org/model@quantization=int8"),
    ("org/model", {"draft_model": "org/small"}, "org/model@draft_model=org/small"),
    (
        "org/model",
        {"adapter": "org/lora", "adapter_revision": "v1", "adapter_scale": 0.5},
        "org/model@adapter=org/lora,adapter_revision=v1,adapter_scale=0.5",
    ),
    ("org/model", {"revision": "refs/pr/1"}, "org/model@revision=refs/pr/1"),
    ("org/model", {"revision": "a@b,c=d e"}, "org/model@revision=a%40b%2Cc%3Dd%20e"),
    ("org/model", {"revision": "12"}, "org/model@revision=%2212%22"),
    ("org/model", {"revision": "true"}, "org/model@revision=%22true%22"),
    ("org/model", {"revision": "ü"}, "org/model@revision=%C3%BC"),
    ("package:some_package/model", {"model_type": "text"}, "package:some_package/model@model_type=text"),
])  # fmt: skip
def test_a_handle_can_be_read_and_any_server_knows_what_it_means(model, settings, handle):
    ref = ModelRef(model, LoadSettings(**settings))
    assert HERE.name(ref) == handle
    for server in (HERE, STRANGER, OPEN):
        assert server.resolve(handle) == ref


@pytest.mark.parametrize(("model", "settings", "handle"), [
    ("/srv/a@b", {}, "/srv/a@b@signed="),
    ("/srv/model", {"dtype": "bf16"}, "/srv/model@dtype=bf16,signed="),
    ("org/model", {"trust_remote_code": True}, "org/model@trust_remote_code=true,signed="),
    ("org/model", {"draft_model": "/srv/small"}, "org/model@draft_model=/srv/small,signed="),
    ("org/model", {"adapter": "/srv/lora"}, "org/model@adapter=/srv/lora,signed="),
])  # fmt: skip
def test_what_only_llamafarm_may_load_is_signed(model, settings, handle):
    ref = ModelRef(model, LoadSettings(**settings))
    name = HERE.name(ref)
    assert name.startswith(handle)
    assert REPLICA.resolve(name) == ref
    for server in (STRANGER, OPEN):
        with pytest.raises(LlamaFarmError, match="was not told to load it") as caught:
            server.resolve(name)
        assert (caught.value.status, caught.value.code) == (404, "model_not_loaded")
        assert server.resolve(name, trusted=True) == ref


@pytest.mark.parametrize("settings", [{"adapter_scale": 0.5}, {"adapter_revision": "v1"}])
def test_what_is_said_of_an_adapter_needs_one(settings):
    """Else the same weights would be loaded twice, for nothing."""
    with pytest.raises(LlamaFarmError, match="says something of an adapter, and none is named") as caught:
        HERE.allow("org/model", LoadSettings(**settings), trusted=True)
    assert caught.value.status == 400


def test_a_file_of_weights_is_named_as_an_adapter_alone():
    file = "org/loras:v2/adapter_model.safetensors"
    assert HERE.allow("org/model", LoadSettings(adapter=file), trusted=True)
    for model, settings in ((file, LoadSettings()), ("org/model", LoadSettings(draft_model=file))):
        with pytest.raises(LlamaFarmError, match=f"`{file}` is a file of weights, and no model"):
            HERE.allow(model, settings, trusted=True)


def test_a_signature_holds_for_its_model_and_settings_alone():
    name = HERE.name(ModelRef("/srv/model", LoadSettings(revision="a")))
    for other in (name.replace("model", "other"), name.replace("=a,", "=b,"), name.replace("revision=a,", "")):
        with pytest.raises(LlamaFarmError, match="was not told to load it"):
            HERE.resolve(other)
    assert HERE.resolve(name.replace("revision=a,", "revision=a,device=auto,")).settings.revision == "a"


def test_what_the_operators_file_admits_needs_no_signature():
    own = ModelRef("org/model", LoadSettings(trust_remote_code=True, revision="abc"))
    here = Handles(Operator(token="secret", models={"org/model": own}))
    other = ModelRef("org/model", LoadSettings(trust_remote_code=True, revision="abc", dtype="bf16"))
    assert here.name(own) == "org/model"
    assert here.name(other) == "org/model@dtype=bf16,trust_remote_code=true,revision=abc"
    assert here.resolve("org/model") == own
    assert here.resolve(here.name(other)) == other


def test_the_folder_of_a_draft_model_is_admitted_where_the_operators_file_names_it() -> None:
    own = ModelRef("org/model", LoadSettings(draft_model="/srv/small"))
    here = Handles(Operator(models={"org/model": own}))
    assert here.allow("org/model", LoadSettings(draft_model="/srv/small", dtype="bf16"), trusted=False)
    with pytest.raises(LlamaFarmError, match="A draft model in a local folder is accepted only from") as caught:
        here.allow("org/model", LoadSettings(draft_model="/srv/other"), trusted=False)
    assert (caught.value.status, caught.value.param) == (403, "settings.draft_model")


def test_a_draft_model_is_named_as_a_model_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ref = OPEN.allow("org/model", LoadSettings(draft_model="./small"), trusted=True)
    assert ref.settings.draft_model == str((tmp_path / "small").resolve())
    with pytest.raises(LlamaFarmError, match="is not a model id") as caught:
        OPEN.resolve("org/model@draft_model=a b")
    assert caught.value.param == "draft_model"


def test_no_two_settings_share_a_handle():
    options = [(), (("a", 1),), (("a", "1"),), (("a", True),), (("a", "true"),), (("a", 1.5),), (("a", 1), ("b", 2))]
    names = {handle_of(ModelRef("org/model", LoadSettings(options=each))) for each in options}
    assert len(names) == len(options)
    assert "org/model@options.a=1,options.b=2" in names


@pytest.mark.parametrize(("name", "param"), [
    ("org/model@dtype=odd", "model.dtype"), ("org/model@dtyp=bf16", "model.dtyp"), ("org/model@dtype=1", "model.dtype"),
    ("org/model@trust_remote_code=yes", "model.trust_remote_code"), ("org/model@0123abcd", "model"),
    ("org/model@options.x=1,options.y=[[[[", "model.options.x"), ("@dtype=bf16", "model"), ("", "model"),
    ("org/model@dtype.x=1", "model.dtype"), ("org/model@dtype=" + "[" * 100_000, "model.dtype"),
])  # fmt: skip
def test_a_name_that_makes_no_sense_says_why(name, param):
    with pytest.raises(LlamaFarmError) as caught:
        OPEN.resolve(name)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_link_that_leads_to_itself_is_no_model(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(LlamaFarmError, match="is a link that leads to itself") as refused:
        Handles(Operator()).resolve(str(tmp_path / "loop"), trusted=True)
    assert refused.value.status == 400


def test_a_restarted_server_and_a_replica_answer_to_a_handle():
    settings = Settings(operator=Operator(token="secret"))
    ask = {"id": "/srv/model", "settings": {"dtype": "bf16"}}
    with serving(settings) as first:
        loaded = first.http.post("/v1/models/load", json=ask, headers={"X-LF-Service-Token": "secret"}).json()
    with serving(settings) as second:
        answer = second.chat("<show>", model=loaded["model"]).json()
    ref = json.loads(answer["choices"][0]["message"]["content"])["ref"]
    assert (ref["id"], ref["settings"]["dtype"]) == ("/srv/model", "bf16")


def test_a_folder_by_its_whole_path_is_found_wherever_the_runtime_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where that folder is gone by now."""
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert checked_id(str(tmp_path / "model")) == str((tmp_path / "model").resolve())
    with pytest.raises(RequestFailed, match="name the model by its whole path"):
        checked_id("./model")
