"""A network whose size depends on neither season nor horizon, and its shipped weights."""
