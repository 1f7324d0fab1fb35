"""`python -m forecast` is the command line."""

from forecast.cli import app

app(prog_name="forecast")
