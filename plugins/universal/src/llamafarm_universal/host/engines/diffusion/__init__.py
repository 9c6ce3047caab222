"""The engine that draws: whatever diffusers makes of a text, or of a picture and a text."""
