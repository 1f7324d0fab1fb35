"""Numbers and pictures from forecast tables; no torch."""
