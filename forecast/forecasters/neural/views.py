"""By which seasons the pre-trained network reads a history."""

from __future__ import annotations

from typing import Any

from forecast._checks import is_integer
from forecast.data.aliases import parse_freq
from forecast.data.calendar import CANDIDATES, longer_seasons, season_lengths
from forecast.pretrained.sweep import View

YEARS = {5: 261, 6: 313, 7: 365}  # days of a year that are open, by those of a week
UNLIKELY = 0.05  # prior weight of a season that neither index nor values suggest


def candidates(
    freq: Any, season_length: int, seen: int, *, told: bool, many: bool
) -> tuple[View, ...]:
    """Return the views of a history, the one expected first.

    Parameters
    ----------
    freq, season_length
        Of the history.
    seen
        How many values of the longest series are read: a season must be seen twice.
    told
        Whether the user named the season.
    many
        Whether the series are many.

    Examples
    --------
    >>> [view[:2] for view in candidates("D", 7, 1000, told=False, many=False)]
    [(7, 365), (7, 0), (365, 0)]
    """
    m, longer = season_length, longer_seasons(season_length, freq)[:1]
    days = m == 7 if is_integer(freq) else season_lengths(freq) == (m,)
    if m in YEARS and days and (is_integer(freq) or parse_freq(freq).n == 1):  # no "2MS"
        longer = (YEARS[m],)
    views = [View(m, second) for second in longer if second <= seen / 2]
    views += [View(view.second) for view in views]
    views.insert(min(len(views), 1), View(m))
    if is_integer(freq) and not told:
        # the values of many series have told their season; those of few may have misled
        others = (1,) if many else (1, *CANDIDATES)
        known = {view.season for view in views}
        views += [View(other, 0, UNLIKELY) for other in others if other not in known]
    return tuple(views)
