"""Sequences to vectors and to labels at every step: scikit-learn estimators that carry a state."""
