"""Hourly panels with calendars and gaps: eight weeks of load, four of pedestrians."""

from suites import Suite, main

SUITES = (
    Suite("gefcom2012_load", 168, 24, n_windows=8, test=8 * 168, sample=2),
    Suite("pedestrian", 48, 24, n_windows=14, test=28 * 24, sample=2),
)

if __name__ == "__main__":
    main(*SUITES)
