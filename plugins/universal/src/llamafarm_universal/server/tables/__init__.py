"""What each operation's request may say: a module for each engine, a table for each operation."""
