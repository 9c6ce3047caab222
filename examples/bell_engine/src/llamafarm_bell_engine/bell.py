"""The model: a bell is its partials, the tones that ring on at their own pace when it is struck."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.engine import RequestFailed


@dataclass(frozen=True)
class Partial:
    """One tone. ratio: of its pitch to the bell's. level: how loud it begins. decay: seconds until a third is left."""

    ratio: float
    level: float
    decay: float


@dataclass(frozen=True)
class Bell:
    """What config.json says. rate: samples in a second. seconds: how long it rings. hertz: the pitch that is struck."""

    rate: int
    seconds: float
    hertz: float
    partials: tuple[Partial, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Bell:
        """The bell of a config.json. Raises RequestFailed where a number is missing, or none that a bell can have."""
        try:
            partials = tuple(Partial(**{key: float(part[key]) for key in part}) for part in config["partials"])
            bell = cls(int(config["rate"]), float(config["seconds"]), float(config["hertz"]), partials)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise _broken(f"{type(error).__name__}: {error}") from error
        if not (8000 <= bell.rate <= 48_000 and 0.1 <= bell.seconds <= 20 and bell.partials):
            raise _broken("its rate is 8000 to 48000, it rings for 0.1 to 20 seconds, and it has a partial at least")
        if not (20 <= bell.hertz <= 4000 and all(part.ratio > 0 < part.decay for part in bell.partials)):
            raise _broken("it strikes 20 to 4000 hertz, and the ratio and decay of a partial are more than 0")
        return bell

    @property
    def samples(self) -> int:
        return int(self.rate * self.seconds)

    def cast(self) -> array[float]:
        """The sound of one strike: this is what the model weighs."""
        strike = array("f", bytes(4 * self.samples))
        for part in self.partials:
            turn = math.tau * self.hertz * part.ratio / self.rate
            for sample in range(self.samples):
                strike[sample] += part.level * math.exp(-sample / self.rate / part.decay) * math.sin(turn * sample)
        return strike


def _broken(why: str) -> RequestFailed:
    return RequestFailed(
        "load_failed", f"The bell's config.json is broken: {why}.", hint="The engine's README shows a whole one."
    )
