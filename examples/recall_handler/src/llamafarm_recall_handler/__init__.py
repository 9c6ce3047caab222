"""The agent handler `recall`: the model reads the notes that lie near a question before it answers."""
