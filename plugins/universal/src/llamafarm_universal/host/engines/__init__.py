"""Engines: each executes one kind of model. They plug in by name through `llamafarm_universal.engines`."""
