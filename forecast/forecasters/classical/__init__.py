"""Forecasters of textbooks: naive, exponential smoothing, Theta, ARIMA."""
