"""Commands that `lf` finds by their entry points."""
