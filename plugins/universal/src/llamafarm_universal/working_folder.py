"""The working folder of a process: a runtime lives longer than the folder that somebody has started it in may."""

from __future__ import annotations

import logging
import os

log = logging.getLogger(__name__)


def leave_deleted_folder() -> None:
    """Go on in the root folder where the working folder was deleted: libraries ask for it when they are imported."""
    try:
        os.getcwd()  # noqa: PTH109 - nobody needs the Path, and this is asked often
    except FileNotFoundError:
        os.chdir(os.sep)
        log.warning("The folder that this runtime was started in is gone; it goes on in %s.", os.sep)
