"""A recording cut into windows that overlap, so that what is said at the edge of one is in the middle of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Sound

SILENCE = 5e-4
"""A window with no sample above this part of the full scale (-66 dB) holds nothing but the noise of a converter."""


@dataclass(frozen=True)
class Window:
    """start, stop: samples of the recording. left, right: how many of them belong to the neighbours as well."""

    start: int
    stop: int
    left: int
    right: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def own(self) -> int:
        """How many of its samples belong to it alone, or are shared with the window behind it."""
        return len(self) - self.left


def windows_of(samples: int, length: int, overlap: int) -> Iterator[Window]:
    """The windows of a recording, each of `length` samples but the last; neighbours share two times `overlap`.

    Source: transformers' pipeline for speech recognition, whose cuts these are.
    """
    for start in range(0, samples, length - 2 * overlap):
        stop = min(start + length, samples)
        left = overlap if start else 0
        is_last = start + length >= samples
        if stop - start > left:
            yield Window(start, stop, left, 0 if is_last else overlap)
        if is_last:
            return


def whole_windows(samples: int, length: int) -> Iterator[Window]:
    """The windows of a recording, all of `length` samples; the last one reaches back into the one before it.

    A recording that is shorter is a window by itself.
    """
    for start in range(0, samples, length):
        first = max(0, min(start, samples - length))
        yield Window(first, min(first + length, samples), start - first, 0)


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether nothing can be heard in it. Models write down something all the same."""
    return samples.size == 0 or float(np.abs(samples).max()) < SILENCE


def samples_of(sound: Sound, window: Window, least: int) -> NDArray[np.float32]:
    """The samples of a window, with silence behind them where they are fewer than a model reads."""
    samples = sound.array()[window.start : window.stop, 0]
    return np.pad(samples, (0, max(0, least - len(samples))))


def least_samples(config: Any, rate: int) -> int:
    """How many samples a model needs: what its convolutions read for one frame; else the window of a spectrum."""
    kernels, strides = getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ())
    reach, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        reach += (kernel - 1) * step
        step *= stride
    return max(reach, rate // 40)
