"""The plugin system: what is installed, whether it works, and what it brings."""
