"""Room 3: the loops, that is training, rollout and streaming."""
