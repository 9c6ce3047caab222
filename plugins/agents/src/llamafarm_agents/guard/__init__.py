"""The agent handler `guard`: checks of what users write and of what models say."""
