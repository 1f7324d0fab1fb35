"""Eight exchange rates, daily: the MSE of standardised rates over every window of the test part.

Rates are standardised by the first 70 % of time; the last 20 % are the test part, every window of
which counts. Nobody is known to beat the last value at 96 steps.
"""

from suites import Suite, main

ROWS, TEST = 7588, 1517

if __name__ == "__main__":
    main(
        *(
            Suite(
                "exchange_rate",
                horizon,
                1,
                n_windows=TEST - horizon + 1,
                step=1,
                test=TEST,
                standardise=int(0.7 * ROWS),
            )
            for horizon in (96, 192, 336, 720)
        )
    )
