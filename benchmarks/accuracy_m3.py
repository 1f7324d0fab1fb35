"""The 3,003 series of M3 in their four groups: MASE and sMAPE (Makridakis and Hibon, 2000)."""

from suites import Suite, main

SUITES = (
    Suite("m3_yearly", 6, 1),
    Suite("m3_quarterly", 8, 4),
    Suite("m3_monthly", 18, 12),
    Suite("m3_other", 8, 1),
)

if __name__ == "__main__":
    main(*SUITES)
