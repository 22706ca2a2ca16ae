"""How good a ranking and its probabilities are, from plain arrays."""
