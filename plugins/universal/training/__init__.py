"""Trains the embedded demonstration model: corpus in, `llamafarm_universal/demo_model` out. See README.md."""
