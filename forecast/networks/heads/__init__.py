"""Heads: what turns the numbers of a step into a distribution, one family per file."""
