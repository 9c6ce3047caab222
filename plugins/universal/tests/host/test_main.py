"""The engine host as the server meets it: a process, a connection, commands and events."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from llamafarm_universal.host.main import HostOptions, run
from llamafarm_universal.messages import (
    ChatPrompt,
    Failed,
    Finished,
    Generate,
    Load,
    LoadSettings,
    ModelRef,
    Piece,
    Run,
    Sampling,
    Stop,
    TextPrompt,
    Unloaded,
)

NO_END = {2: -100.0}  # never <|im_end|>: the answer is as long as max_tokens
PATIENCE = 90.0  # seconds: a bound against hanging


def hi(*texts: str) -> ChatPrompt:
    return ChatPrompt(tuple({"role": "user", "content": text} for text in texts))


def test_importing_the_seam_and_the_entry_imports_nothing_heavy() -> None:
    program = (
        "import sys, llamafarm_universal.messages, llamafarm_universal.host.main, llamafarm_universal.safety\n"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_host_says_what_it_runs_on(host: Any) -> None:
    assert host.ready.device in {"cpu", "cuda", "mps"}
    assert host.ready.details["memory_bytes"] > 0
    assert {"name", "torch", "transformers"} <= host.ready.details.keys()


def test_a_chat_is_answered_in_pieces(host: Any, llama: ModelRef, tokenizer: Any) -> None:
    answer = host.generate(llama, hi("hello"), max_tokens=12, temperature=0, logit_bias=NO_END)
    prompt = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert answer.accepted.prompt_tokens == len(tokenizer(prompt)["input_ids"])
    assert answer.accepted.model.task == "text"
    assert (answer.finished.reason, answer.finished.usage.completion_tokens) == ("length", 12)
    assert len(answer.pieces()) > 1


def test_loading_reports_what_was_loaded(host: Any, llama: ModelRef) -> None:
    model = host.load(llama).last.model
    assert (model.task, model.dtype, model.context_length) == ("text", "fp32", 1024)
    assert {"chat", "tools", "embeddings"} <= model.features
    assert 0 <= model.memory_bytes - 4 * model.parameters < 1000, "fp32 weights and a few buffers"


def test_copies_are_told_apart_by_their_load_settings_alone(host: Any, llama: ModelRef) -> None:
    other = ModelRef(llama.id, LoadSettings(dtype="bf16"))
    host.generate(llama, max_tokens=1, temperature=0)
    host.generate(llama, max_tokens=2, temperature=1.5, seed=3)
    host.load(other)
    assert [model.dtype for ref, model in host.models.items() if ref.id == llama.id] == ["fp32", "bf16"]
    host.unload(other)


def test_short_answers_are_not_held_up_by_long_ones(host: Any, llama: ModelRef) -> None:
    long = host.start(llama, max_tokens=60, temperature=0, logit_bias=NO_END)
    short = host.start(llama, max_tokens=3, temperature=0, logit_bias=NO_END)
    ended: list[str] = []
    while len(ended) < 2:
        if isinstance(event := host.next(), Finished):
            ended.append(event.request_id)
    assert ended == [short, long]


def test_a_long_prompt_does_not_stop_a_running_answer(start_host: Callable[..., Any], llama: ModelRef) -> None:
    with start_host(prefill_tokens=16) as host:
        running = host.start(llama, max_tokens=200, temperature=0, logit_bias=NO_END)
        while not isinstance(host.next(), Piece):
            pass
        long = host.start(llama, "hello " * 300, max_tokens=1)
        seen = host.drain_until(long)
        accepted = next(i for i, event in enumerate(seen) if event.request_id == long)
        pieces = [event for event in seen[accepted + 1 :] if isinstance(event, Piece) and event.request_id == running]
        assert len(pieces) > 10, "the answer went on while the prompt was read"
        host.cancel(running)


def test_a_cancelled_request_says_nothing_more_and_leaves_its_slot_at_once(
    start_host: Callable[..., Any], llama: ModelRef
) -> None:
    with start_host(max_sequences=1) as host:
        host.load(llama)
        first = host.start(llama, max_tokens=900, temperature=0, logit_bias=NO_END)
        while not isinstance(host.next(), Piece):
            pass
        second = host.start(llama, max_tokens=3, temperature=0, logit_bias=NO_END)
        host.cancel(first)
        events = host.drain_until(second)
        mine = [i for i, event in enumerate(events) if event.request_id == second and isinstance(event, Piece)]
        assert all(event.request_id == second for event in events[mine[0] :])
        assert not any(isinstance(event, Finished) for event in events if event.request_id == first)


def test_at_its_deadline_a_running_request_ends_and_leaves_its_slot(
    start_host: Callable[..., Any], llama: ModelRef
) -> None:
    with start_host(max_sequences=1) as host:
        host.load(llama)
        endless = Generate(TextPrompt("hello"), Sampling(900, temperature=0, logit_bias=NO_END), n=8)
        host.send(Run("late", llama, endless, deadline=monotonic() + 0.3))
        failed = host.answer("late").failed
        assert failed.kind == "too_late"
        assert "timeouts" in (failed.hint or "")
        assert host.generate(llama, max_tokens=3).finished, "the only slot is free, and others are not touched"
        assert not [event for event in host.others if event.request_id == "late"]


def test_a_deadline_ends_a_request_that_is_being_prepared_and_wakes_a_host_that_has_nothing_to_do(
    host: Any, llama: ModelRef
) -> None:
    host.load(llama)
    work = Generate(TextPrompt("hello"), Sampling(900, temperature=0, logit_bias=NO_END))
    host.send(Run("at once", llama, work, deadline=monotonic() - 1))
    assert host.answer("at once").failed.kind == "too_late"
    in_time = Run("in time", llama, Generate(TextPrompt("hello"), Sampling(3)), deadline=monotonic() + PATIENCE)
    host.send(in_time)
    assert host.answer("in time").finished


def test_a_load_that_nobody_wants_any_more_leaves_no_model(host: Any, copy_of: Callable[..., Path]) -> None:
    ref = ModelRef(str(copy_of()))
    host.send(Load("load", host.plan(ref), 0))
    host.cancel("load")
    host.load(ModelRef(str(copy_of("other"))))  # loads come one after the other: the first has ended too
    assert host.unload(ref).failed.kind == "model_not_found"


def test_a_running_answer_goes_on_while_another_model_loads(host: Any, llama: ModelRef, copy_of: Any) -> None:
    other = ModelRef(str(copy_of()))
    running = host.start(llama, max_tokens=600, temperature=0, logit_bias=NO_END)
    while not isinstance(host.next(), Piece):
        pass
    host.send(Load("load", host.plan(other), 0))
    assert any(isinstance(event, Piece) and event.request_id == running for event in host.drain_until("load"))
    host.answer(running)
    host.unload(other)


def test_a_model_that_does_not_load_fails_its_request_and_nothing_else(
    host: Any, llama: ModelRef, copy_of: Callable[..., Path]
) -> None:
    broken = copy_of()
    (broken / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    failed = host.generate(ModelRef(str(broken))).failed
    assert failed.kind == "load_failed"
    assert "model.safetensors" in failed.message
    assert host.generate(llama, max_tokens=1).finished.usage.completion_tokens == 1


def test_a_model_that_is_not_loaded_is_a_failure(host: Any, tmp_path: Path) -> None:
    host.send(Run("y", ModelRef(str(tmp_path)), Generate(TextPrompt("hello"), Sampling())))
    assert host.answer("y").failed.kind == "model_not_found"


def test_unloading_a_model_ends_its_requests(host: Any, copy_of: Callable[..., Path]) -> None:
    ref = ModelRef(str(copy_of()))
    running = host.start(ref, max_tokens=900, temperature=0, logit_bias=NO_END)
    while not isinstance(host.next(), Piece):
        pass
    assert isinstance(host.unload(ref).last, Unloaded)
    assert host.answer(running).failed.kind == "in_use"
    assert host.unload(ref).failed.kind == "model_not_found"


def test_two_commands_with_one_id_do_not_mix(host: Any, llama: ModelRef) -> None:
    alone = host.generate(llama, "one", max_tokens=20, temperature=0, logit_bias=NO_END).text()
    for text in ("one", "two"):
        host.send(Run("same", llama, Generate(TextPrompt(text), Sampling(20, temperature=0, logit_bias=NO_END))))
    assert host.answer("same").text() == alone
    assert host.generate(llama, max_tokens=1).finished.usage.completion_tokens == 1


def test_the_host_ends_when_its_connection_closes(start_host: Callable[..., Any], llama: ModelRef) -> None:
    with start_host() as host:
        host.load(llama)
        host.start(llama, max_tokens=900, temperature=0, logit_bias=NO_END)
        host.connection.close()
        host.process.join(PATIENCE)
        assert host.process.exitcode == 0


def test_the_host_ends_when_it_is_told_to_and_not_on_ctrl_c(start_host: Callable[..., Any], llama: ModelRef) -> None:
    with start_host() as host:
        os.kill(host.process.pid, signal.SIGINT)
        assert host.generate(llama, max_tokens=1).finished.usage.completion_tokens == 1
        host.send(Stop())
        host.process.join(PATIENCE)
        assert host.process.exitcode == 0


HOST = """
from multiprocessing import Pipe
from llamafarm_universal.host.main import HostOptions, run
from llamafarm_universal.messages import Stop
server, host = Pipe()
server.send(Stop())
run(host, HostOptions())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is printed is that of GNU's OpenMP")
@pytest.mark.parametrize(
    ("set_by_user", "rounds"), [({}, "10000"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0"), ({"GOMP_SPINCOUNT": "7"}, "7")]
)
def test_threads_look_a_short_while_before_they_sleep_unless_the_user_has_said_how(
    set_by_user: dict[str, str], rounds: str
) -> None:
    """OpenMP prints what it has made of its environment when torch loads it: unset, threads turn 300,000 rounds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environ = {**kept, "OMP_DISPLAY_ENV": "VERBOSE", **set_by_user}
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, env=environ, timeout=PATIENCE)
    assert f"GOMP_SPINCOUNT = '{rounds}'" in done.stderr


def test_a_device_that_is_not_there_ends_the_host_with_its_reason() -> None:
    context = multiprocessing.get_context("spawn")
    connection, far_end = context.Pipe()
    absent: Any = "cuda" if sys.platform == "darwin" else "mps"
    process = context.Process(target=run, args=(far_end, HostOptions(device=absent)))
    process.start()
    far_end.close()
    assert connection.poll(PATIENCE)
    (event,) = connection.recv()
    process.join(PATIENCE)
    assert (type(event), event.request_id, process.exitcode) == (Failed, "", 1)
    assert absent in event.message
    connection.close()
