"""The OpenAI wire as typed dictionaries over plain JSON: absent and null stay different, unknown fields survive."""
