"""Forecasters that learn a network: sizes, features, training, what is saved."""
