"""Room 1: frames become arrays; pandas and numpy, no torch."""
