"""The provider `openai`: any server that speaks the OpenAI wire."""
