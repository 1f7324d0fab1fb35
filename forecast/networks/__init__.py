"""Room 2: tensors become features and features a distribution; torch, no pandas."""
