"""Forecasters that read a fixed window: the Markov side of the contrast."""
