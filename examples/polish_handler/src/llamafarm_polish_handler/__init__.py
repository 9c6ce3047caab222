"""The agent handler `polish`: a model improves its own answer before anybody reads it."""
