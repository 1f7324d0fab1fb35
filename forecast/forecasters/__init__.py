"""Room 5: what users hold."""
