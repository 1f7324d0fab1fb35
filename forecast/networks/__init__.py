"""Tensors become features, and features a distribution; torch, no pandas."""
