"""Symbols instead of values: what comes next among states, events or words."""
