"""Pictures and sounds on their way through the runtime: where they lie, what they may be, and how they are decoded."""
