"""Finds the helpers that lie here."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
