"""The grammar of model ids, and paths that stay where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.safety import (
    HubId,
    LocalFolder,
    PackagedFolder,
    is_weights_alone,
    parse_model_id,
    repository_of,
    under,
)


@pytest.mark.parametrize(
    "text", ["gpt2", "microsoft/phi-2", "Qwen/Qwen2.5-0.5B-Instruct", "nomic-ai/nomic-embed-text-v1.5"]
)
def test_hugging_face_ids(text: str) -> None:
    assert parse_model_id(text) == HubId(text)


def test_one_file_of_a_repository() -> None:
    assert parse_model_id("org/name-GGUF:name-Q4_K_M.gguf") == HubId("org/name-GGUF", "name-Q4_K_M.gguf")
    assert parse_model_id("org/name:sub/x.GGUF") == HubId("org/name", "sub/x.GGUF")
    assert parse_model_id("org/name:v2/x.safetensors") == HubId("org/name", "v2/x.safetensors")
    assert [is_weights_alone(name) for name in ("org/name:v2/x.safetensors", "org/name:x.gguf", "./x.safetensors")] == [
        True,
        False,
        False,
    ]
    assert repository_of("org/name:x.gguf") == repository_of("org/name") == "org/name"
    assert repository_of("./mine.gguf") == "./mine.gguf"


def test_folders_and_packages() -> None:
    assert parse_model_id("package:llamafarm_universal/demo_model") == PackagedFolder(
        "llamafarm_universal", "demo_model"
    )
    assert parse_model_id("package:a/b/c-1.0") == PackagedFolder("a", "b/c-1.0")
    assert parse_model_id("./mine") == LocalFolder(Path("mine"))
    assert parse_model_id("/models/mine") == LocalFolder(Path("/models/mine"))
    assert parse_model_id("~/mine") == LocalFolder(Path("~/mine").expanduser())
    assert parse_model_id("~no-such-user/mine") == LocalFolder(Path("~no-such-user/mine"))
    assert parse_model_id(r"C:\models\mine") == LocalFolder(Path(r"C:\models\mine"))


@pytest.mark.parametrize(
    "text",
    ["", " ", "a/b/c", "a/../b", "..", ".", "a/", "/".join("ab") + "/", "org/na me", "org/name\n", "http://host/x",
     "org/name@main", "org/name:x.bin", "org/name:../x.gguf", "org/name:/x.gguf", "org/name:.gguf", "a:b:c.gguf",
     "org/name:" + "x" * 900 + ".gguf",
     "-org/name", "org--name/x", "a..b", "x" * 300, "package:", "package:a", "package:a/.hidden",
     "package:a//b", "package:a/b/../c", "file:///etc", "org\\name", "org/name\0", "/\0", "~\0", "/" + "x/" * 500],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        parse_model_id(text)
    assert (caught.value.kind, caught.value.param) == ("invalid_request", "model")


def test_a_link_cannot_lead_out_of_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    assert under(root, "in") == root.resolve() / "in"
    for path in ("out", "../x", "/etc"):
        with pytest.raises(RequestFailed):
            under(root, path)
