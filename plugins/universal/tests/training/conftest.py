"""The training scripts are beside the distribution, not in it: the tests import them from the folder above."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
