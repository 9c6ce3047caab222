"""A call of a library, taken a piece at a time.

Every pipeline of diffusers has a loop of its own, inside one call, and so has transformers' `generate`. So that call
runs in a thread, and hands over wherever a hook of ours says so: before each part of a pipeline computes, or after each
token. Nothing needs to be known of the loop for that. One thread runs at a time, as with coroutines: whoever advances
it waits for its next handing over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Generic, TypeVar

from llamafarm_universal.host.openmp import let_team_go

Value = TypeVar("Value")
TURN_SECONDS = 0.1
"""After so long, the other models have their turn."""
_here = threading.local()


class _Ended(BaseException):
    """Nobody wants the value any more; no handler of a library takes it for an error."""


class Stepwise(Generic[Value]):
    """call: what is done; it runs in a thread of its own, which begins with the first step.

    decodes: whether it waits before the decoder. A pipeline may have changed the decoder's number format by then, so
    that no other call of the same pipeline may run until this one has ended.
    """

    def __init__(self, call: Callable[[], Value]) -> None:
        self.decodes = False
        self._call = call
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="stepwise", daemon=True)
        self._done = self._ending = False
        self._began, self._seconds = 0.0, TURN_SECONDS
        self._value: Value | None = None
        self._error: BaseException | None = None

    def step(self, seconds: float | None = None) -> bool:
        """Let it go on until it hands over. Returns whether it is done. Raises what it raises.

        seconds: after which it is due to hand over; None: TURN_SECONDS.
        """
        self._seconds = TURN_SECONDS if seconds is None else seconds
        self._go_on()
        if self._error is not None:
            raise self._error
        return self._done

    def value(self) -> Value:
        """What the call returned, once it is done."""
        assert self._value is not None, "it is not done"
        return self._value

    def close(self) -> None:
        """End it where it waits; calling twice does nothing."""
        if self._done or self._ending:
            return
        self._ending = True
        if self._thread.is_alive():
            self._go_on()

    @property
    def is_due(self) -> bool:
        """Whether its step has taken long enough."""
        return monotonic() - self._began >= self._seconds

    def _go_on(self) -> None:
        self._began = monotonic()
        let_team_go()
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._turn.release()
        self._back.acquire()
        if self._done:
            self._thread.join()

    def _run(self) -> None:
        _here.stepwise = self
        try:
            self._value = self._call()
        except _Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is advanced
            self._error = error
        self._done = True
        del self._call
        self._back.release()

    def hand_over(self, *, decodes: bool = False) -> None:
        """Wait for the next step; in the thread. Raises where there will be none."""
        self.decodes |= decodes
        let_team_go()
        self._back.release()
        self._turn.acquire()
        if self._ending:
            raise _Ended


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What runs in here hands nothing over, whatever hooks of ours it passes."""
    stepwise, _here.stepwise = getattr(_here, "stepwise", None), None
    try:
        yield
    finally:
        _here.stepwise = stepwise


def hand_over(*_: Any, decodes: bool = False) -> None:
    """Have the call that runs in this thread wait for its next step; elsewhere it does nothing."""
    stepwise: Stepwise[Any] | None = getattr(_here, "stepwise", None)
    if stepwise is not None:
        stepwise.hand_over(decodes=decodes)


def give_turns(module: Any) -> None:
    """Have calls of a torch module hand over between its layers, where they have taken long enough.

    A layer is what stands in a list of modules. Elsewhere than in a call that is taken step by step it does nothing.
    """
    from torch.nn import ModuleList

    for layers in [each for each in module.modules() if isinstance(each, ModuleList)]:
        for layer in layers:
            layer.register_forward_pre_hook(_hand_over_when_due)


def _hand_over_when_due(*_: Any) -> None:
    stepwise: Stepwise[Any] | None = getattr(_here, "stepwise", None)
    if stepwise is not None and stepwise.is_due:
        stepwise.hand_over()
