"""M4 Hourly (414 series) and Yearly (23,000 series): OWA (Makridakis et al., 2020)."""

from suites import Suite, main

SUITES = (
    Suite("m4_hourly", 48, 24, owa=True),
    Suite("m4_yearly", 6, 1, owa=True, sample=3286),
)

if __name__ == "__main__":
    main(*SUITES)
