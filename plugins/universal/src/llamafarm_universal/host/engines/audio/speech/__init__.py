"""Texts, spoken: what is asked of every model that speaks (`head`), and a module for each kind of them."""
