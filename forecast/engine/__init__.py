"""The loops: training, rollout and streaming."""
