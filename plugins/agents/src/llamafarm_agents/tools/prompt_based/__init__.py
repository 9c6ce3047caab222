"""Functions for models that know none: told of in the prompt, their calls read from the text."""
