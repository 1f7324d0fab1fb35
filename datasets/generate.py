"""Write the CSV files of this folder: `python datasets/generate.py [FOLDER]`.

Each set has a random stream of its own, seeded by SEED and its name, so that a new set leaves the
others as they are. The README says which effects are in which set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import holidays
import numpy as np
import pandas as pd
from dateutil.easter import easter

SEED = 20160


def autoregressive(rng: np.random.Generator, n: int, phi: float, scale: float) -> np.ndarray:
    """Return n values of an AR(1) with normal innovations, shape (n,)."""
    noise, level = rng.normal(0, scale, n), 0.0
    for t in range(n):
        noise[t] = level = phi * level + noise[t]
    return noise


def hotel_nights(rng: np.random.Generator) -> pd.DataFrame:
    """Nights spent in a resort: growing, summer season, Easter in March or in April."""
    months = pd.date_range("2005-01-01", "2019-12-01", freq="MS")
    season = [0.72, 0.76, 0.84, 0.91, 1.05, 1.18, 1.42, 1.46, 1.15, 0.94, 0.74, 0.83]
    has_easter = [easter(month.year).month == month.month for month in months]
    log = np.log(41.0) + 0.0028 * np.arange(len(months)) + np.log(season)[months.month - 1]
    log += 0.11 * np.array(has_easter) + autoregressive(rng, len(months), 0.6, 0.025)
    return pd.DataFrame({"ds": months.strftime("%Y-%m-%d"), "y": np.exp(log).round(1)})


def museum_visitors(rng: np.random.Generator) -> pd.DataFrame:
    """Visitors of a museum in Germany, by day; more on public holidays, fewer in summer."""
    days = pd.date_range("2016-01-01", "2019-12-31", freq="D")
    free = holidays.country_holidays("DE", years=range(2016, 2020))
    weekday = np.log([0.55, 0.8, 0.85, 0.9, 1.0, 1.75, 2.0])[days.day_of_week]
    # A holiday makes a Sunday of any other day.
    weekday[[day in free for day in days]] = np.log(2.0)
    year = 0.22 * np.cos(2 * np.pi * (days.day_of_year.to_numpy() - 20) / 365.25)
    rate = np.exp(np.log(320) + weekday + year + autoregressive(rng, len(days), 0.5, 0.1))
    return pd.DataFrame({"ds": days.strftime("%Y-%m-%d"), "y": rng.poisson(rate)})


def office_power(rng: np.random.Generator) -> pd.DataFrame:
    """Power that an office building draws, by hour: a season of a day, another of a week."""
    hours = pd.date_range("2023-01-02", periods=24 * 7 * 20, freq="h")
    hour, weekday = hours.hour.to_numpy(), hours.day_of_week.to_numpy()
    presence = 1 / (1 + np.exp(-(hour - 7.5) / 0.6)) - 1 / (1 + np.exp(-(hour - 17.5) / 1.1))
    busy = np.array([0.95, 1.0, 1.0, 0.97, 0.8, 0.12, 0.05])[weekday]
    night = 6 * np.cos(2 * np.pi * (hour - 3) / 24)
    power = 48 + 115 * presence * busy - night + autoregressive(rng, len(hours), 0.8, 2.2)
    return pd.DataFrame({"ds": hours.strftime("%Y-%m-%d %H:%M"), "y": power.round(1)})


def spare_parts(rng: np.random.Generator) -> pd.DataFrame:
    """Demand for spare parts by month: zero in most months, else 1 plus a geometric number."""
    months = pd.date_range("2014-01-01", periods=84, freq="MS").strftime("%Y-%m-%d")
    parts = []
    for i in range(24):
        chance = np.full(len(months), rng.uniform(0.08, 0.55))
        if i % 6 == 5:  # the machine it belongs to is being scrapped
            chance *= np.linspace(1.4, 0.1, len(months))
        size = rng.geometric(rng.uniform(0.25, 0.8), len(months))
        demand = np.where(rng.random(len(months)) < chance, size, 0)
        parts.append(pd.DataFrame({"unique_id": f"part{i + 1:02d}", "ds": months, "y": demand}))
    return pd.concat(parts)


def shop_sales(rng: np.random.Generator) -> pd.DataFrame:
    """Weekly sales of coffee in twelve shops, answering price, promotion, region and floor area."""
    weeks = pd.date_range("2017-01-01", periods=156, freq="W-SUN")
    season = 0.15 * np.cos(2 * np.pi * weeks.day_of_year.to_numpy() / 365.25)
    regions = {"city": 0.4, "suburb": 0.1, "village": -0.3}
    shops = []
    for i in range(12):
        region, area = list(regions)[i % 3], int(rng.integers(8, 60)) * 10
        # A price holds for a quarter; promotions last two weeks.
        price = np.repeat(rng.choice([4.5, 4.75, 5.0, 5.25, 5.5, 6.0], 12), 13)
        promotion = np.repeat(rng.random(78) < 0.12, 2).astype(int)
        log = np.log(60) + regions[region] + 0.5 * np.log(area / 200) + season
        log = log - 1.5 * np.log(price / 5) + np.log(1.4) * promotion
        log += autoregressive(rng, 156, 0.6, 0.06)
        columns = {"unique_id": f"shop{i + 1:02d}", "ds": weeks.strftime("%Y-%m-%d")}
        columns |= {"y": np.exp(log).round(1), "price": price, "promotion": promotion}
        shops.append(pd.DataFrame(columns | {"region": region, "area": area}))
    return pd.concat(shops)


def shop_clicks(rng: np.random.Generator) -> pd.DataFrame:
    """Events in a web shop, one word after the other; order 2 in one place."""
    following = {
        "enter": {"search": 0.6, "browse": 0.4},
        "search": {"view": 0.75, "search": 0.15, "leave": 0.1},
        "browse": {"view": 0.6, "browse": 0.25, "leave": 0.15},
        "view": {"cart": 0.25, "browse": 0.35, "search": 0.2, "leave": 0.2},
        "cart": {"pay": 0.55, "view": 0.3, "leave": 0.15},
        "pay": {"leave": 1.0},
        "leave": {"enter": 1.0},
    }
    # Who comes back from the cart mostly puts another thing into it.
    returning = {"cart": 0.7, "browse": 0.1, "search": 0.05, "leave": 0.15}
    words = ["enter"]
    for _ in range(5999):
        chances = returning if words[-2:] == ["cart", "view"] else following[words[-1]]
        words.append(str(rng.choice(list(chances), p=list(chances.values()))))
    return pd.DataFrame({"ds": np.arange(1, 6001), "y": words})


def pump_failures(rng: np.random.Generator) -> pd.DataFrame:
    """Sensors of twenty pumps, day by day, from new until each one's bearing breaks."""
    pumps = []
    for i in range(20):
        load = np.repeat(rng.choice([0.6, 0.8, 1.0], 80, p=[0.3, 0.4, 0.3]), 7)  # a weekly plan
        # Damage grows with the load and with the damage done; a pump breaks where it reaches 1.
        step = rng.gamma(4.0, rng.uniform(0.7, 1.5) / 4, len(load)) * load**2
        damage = np.expm1(np.cumsum(step) / 60) / np.expm1(3)
        days = int(np.searchsorted(damage, 1.0)) + 1
        damage, load = damage[:days], load[:days]
        vibration = 1.2 + 0.9 * load + 5.5 * damage + rng.normal(0, 0.12, days)
        temperature = 34 + 14 * load + 16 * damage**2 + autoregressive(rng, days, 0.7, 0.8)
        columns = {"unique_id": f"pump{i + 1:02d}", "ds": np.arange(1, days + 1)}
        columns |= {"y": vibration.round(2), "load": load, "temperature": temperature.round(1)}
        pumps.append(pd.DataFrame(columns))
    return pd.concat(pumps)


SETS: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    function.__name__: function
    for function in (
        hotel_nights,
        museum_visitors,
        office_power,
        pump_failures,
        shop_clicks,
        shop_sales,
        spare_parts,
    )
}


def write(folder: Path) -> None:
    """Write every set as FOLDER/<name>.csv, with the same bytes on every machine."""
    for name, generate in SETS.items():
        table = generate(np.random.default_rng([SEED, *name.encode()]))
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
