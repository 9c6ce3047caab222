"""An engine whose module imports what is heavy."""

from __future__ import annotations

import numpy  # noqa: F401
from broken_engines import Sound

ImportsWhenItIsImported = Sound
