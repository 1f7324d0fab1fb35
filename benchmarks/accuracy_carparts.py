"""Monthly sales of 2,674 car parts, mostly zero: the mean weighted quantile loss."""

from suites import Suite, main

SUITES = (Suite("carparts", 12, 12),)

if __name__ == "__main__":
    main(*SUITES)
