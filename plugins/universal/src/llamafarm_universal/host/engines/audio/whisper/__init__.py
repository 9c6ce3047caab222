"""Whisper and its kin: windows are read by an encoder, and written down token by token, with the times of segments."""
