"""Forecasters of textbooks: naive, medians, exponential smoothing, Theta, ARIMA, rare demand."""
