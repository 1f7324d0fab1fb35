"""Room 4: numbers and pictures from forecast tables; no torch."""
