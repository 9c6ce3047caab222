"""Flags win over the environment, and the environment over defaults."""

from __future__ import annotations

import pytest
from llamafarm.errors import ConfigError
from llamafarm_universal.messages import LoadSettings
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.settings import read_settings


def test_the_defaults_are_this_machine_and_the_known_port():
    settings = read_settings([], {})
    assert (settings.host, settings.port, settings.idle_timeout) == ("127.0.0.1", 11540, 0.0)
    assert (settings.keep, settings.max_memory) == (Keep(300.0), 0.8)


@pytest.mark.parametrize(("arguments", "environ", "port"), [
    ([], {"LF_RUNTIME_PORT": "5"}, 5),
    ([], {"LF_RUNTIME_PORT": "5", "UNIVERSAL_RUNTIME_PORT": "6"}, 6),
    (["--port", "7"], {"UNIVERSAL_RUNTIME_PORT": "6"}, 7),
    (["--port", "0"], {"UNIVERSAL_RUNTIME_PORT": "6"}, 0),
])  # fmt: skip
def test_the_first_port_that_is_said_wins(arguments, environ, port):
    assert read_settings(arguments, environ).port == port


def test_hosts_device_and_unload_time_are_taken():
    settings = read_settings(
        ["--device", "cpu", "--dtype", "bf16", "--idle-timeout", "1800"],
        {"UNIVERSAL_RUNTIME_HOST": "::1", "MODEL_UNLOAD_TIMEOUT": "0"},
    )
    assert (settings.host, settings.idle_timeout) == ("::1", 1800.0)
    options = settings.options
    assert (options.device, options.dtype) == ("cpu", "bf16")
    assert settings.keep == Keep(None), "0 keeps models for ever"


@pytest.mark.parametrize(("value", "limit"), [("12GB", 12 * 10**9), ("500 mb", 5 * 10**8), ("75%", 0.75)])
def test_memory_is_limited_in_bytes_or_to_a_share_of_what_is_free(value, limit):
    assert read_settings([], {"UNIVERSAL_RUNTIME_MAX_MEMORY": value}).max_memory == limit


@pytest.mark.parametrize(("name", "value"), [
    ("UNIVERSAL_RUNTIME_PORT", "http"), ("LF_RUNTIME_PORT", "70000"), ("MODEL_UNLOAD_TIMEOUT", "-1"),
    ("MODEL_UNLOAD_TIMEOUT", "nan"), ("UNIVERSAL_RUNTIME_MAX_REQUESTS", "many"),
    ("UNIVERSAL_RUNTIME_MAX_HELD_MB", "-5"), ("UNIVERSAL_RUNTIME_FILE_SECONDS", "an hour"),
    ("UNIVERSAL_RUNTIME_FILES_MB", "-1"),
    ("UNIVERSAL_RUNTIME_MAX_MEMORY", "much"), ("UNIVERSAL_RUNTIME_MAX_MEMORY", "120%"),
])  # fmt: skip
def test_a_variable_that_makes_no_sense_is_named(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be .* not '{value}'"):
        read_settings([], {name: value})


def test_kept_files_take_half_of_the_spool_at_most():
    given = {"UNIVERSAL_RUNTIME_FILE_SECONDS": "60", "UNIVERSAL_RUNTIME_FILES_MB": "100"}
    settings = read_settings([], given)
    assert (settings.file_seconds, settings.files_bytes) == (60, 100 * 2**20)
    assert read_settings([], {**given, "UNIVERSAL_RUNTIME_SPOOL_MB": "50"}).files_bytes == 25 * 2**20


def test_the_servers_own_file_admits_models(tmp_path):
    entries = ["{id: ./mine, dtype: bf16}", "{id: org/name, keep: true}", "{id: org/other, keep_alive: 5, group: big}"]
    (tmp_path / "runtime.yaml").write_text("models:\n" + "".join(f"  - {entry}\n" for entry in entries))
    settings = read_settings([], {"UNIVERSAL_RUNTIME_CONFIG": str(tmp_path / "runtime.yaml")})
    models = settings.operator.models
    assert settings.operator.keeps == {
        models["org/name"]: Keep(None, pinned=True),
        models["org/other"]: Keep(5.0, group="big"),
    }
    assert set(models) == {str(tmp_path / "mine"), "org/name", "org/other"}
    assert models[str(tmp_path / "mine")].settings == LoadSettings(dtype="bf16")


@pytest.mark.parametrize(("text", "says"), [
    ("", "must hold `models:`"), ("models: {}", "must hold `models:`"),
    ("models: [a]", r"models\[0\] must be a mapping"),
    ("models: [{id: a, dtyp: fp16}]", r"models\[0\]: Unknown field 'dtyp'"), ("models: [{id: a b}]", "not a model id"),
    ("models: [{dtype: fp16}]", "'id' is missing"), ("models: [{id: a}, {id: a}]", "twice"), ("a: [", "cannot be read"),
    ("models: []\nport: 5", "and nothing else"),
])  # fmt: skip
def test_a_file_that_makes_no_sense_says_where(tmp_path, text, says):
    path = tmp_path / "runtime.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_settings([], {"UNIVERSAL_RUNTIME_CONFIG": str(path)})


def test_the_token_is_read_from_its_file_and_never_shown(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    settings = read_settings([], {"LF_SERVICE_TOKEN_FILE": str(tmp_path / "token"), "UNIVERSAL_RUNTIME_API_KEY": "key"})
    assert settings.operator.trusts("secret")
    assert not settings.operator.trusts("secret ")
    assert not settings.operator.trusts(None)
    assert "secret" not in repr(settings)
    assert "key" not in repr(settings).replace("keep_alive", "").replace("api_key", "")


def test_the_line_end_of_a_file_with_the_key_is_no_part_of_it():
    assert read_settings([], {"UNIVERSAL_RUNTIME_API_KEY": "key\n"}).api_key == "key"
    assert read_settings([], {"UNIVERSAL_RUNTIME_API_KEY": "\n"}).api_key is None


def test_an_empty_token_file_is_refused(tmp_path):
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        read_settings([], {"LF_SERVICE_TOKEN_FILE": str(tmp_path / "token")})


def test_limits_of_media_are_read_and_the_next_server_removes_what_a_killed_one_left(tmp_path):
    dead = tmp_path / "spool-1-1"
    dead.mkdir()
    (tmp_path / "spool-1-1.lock").touch()
    settings = read_settings([], {"UNIVERSAL_RUNTIME_SPOOL": str(tmp_path), "UNIVERSAL_RUNTIME_MAX_SOUND_MB": "1"})
    assert settings.options.media.sound_bytes == 2**20
    runtime = Runtime(settings)
    assert not dead.exists()
    assert runtime.spool.path.parent == tmp_path
