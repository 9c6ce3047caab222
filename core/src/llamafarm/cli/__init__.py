"""The command line `lf`: a file for each command or group of commands, imported when it is called.

What the commands of plugins build on has its names here: the project that the command line names, and how results
are printed.
"""

from llamafarm.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
