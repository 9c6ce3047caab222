"""What clients read of an error that nobody foresaw."""

from __future__ import annotations

import pytest
from llamafarm_universal.failure import explained, refused, without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Errno 2] No such file: '/root/.cache/hub/models--a/config.json'", "[Errno 2] No such file: 'config.json'"),
        ("no file in directory /srv/my-models/llama.", "no file in directory llama."),
        ("/srv/models/llama/config.json: unexpected end", "config.json: unexpected end"),
        ("'/home/Jo Doe/my models/x.json' is odd", "'x.json' is odd"),
        (r"C:\Users\jo\models\x.json is odd", "x.json is odd"),
        (r"file 'C:\Program Files\models\x.json'", "file 'x.json'"),
        ("(path=/a/b/c)", "(path=c)"),
        ("see https://huggingface.co/org/model/tree/main", "see https://huggingface.co/org/model/tree/main"),
        ("`org/model` and/or ./here/there, 1/2 of text/plain", "`org/model` and/or ./here/there, 1/2 of text/plain"),
        ("a / b", "a / b"),
    ],
)
def test_paths_of_this_machine_keep_their_last_part(text: str, shown: str) -> None:
    assert without_paths(text) == shown


def test_the_log_has_them_whole(caplog: pytest.LogCaptureFixture) -> None:
    failure = explained(FileNotFoundError(2, "No such file", "/srv/secret/model.safetensors"), "loading `org/model`")
    assert failure.message == (
        "Unexpected FileNotFoundError while loading `org/model`: [Errno 2] No such file: 'model.safetensors'"
    )
    assert "/srv/secret/model.safetensors" in caplog.text


def test_an_error_that_stays_with_a_gpu_ends_the_host() -> None:
    """One that quotes a request does not, whatever is in it."""
    assert explained(RuntimeError("CUDA error: an illegal memory access"), "generating text").event("r").ends_host
    assert not explained(RuntimeError("CUDA out of memory"), "generating text").event("r").ends_host
    assert not refused("There is no tool `CUDA error: ha`.", "tool_choice").event("r").ends_host
