"""The report is one page that loads nothing, holds every number, and shows whatever names hold."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from forecast.contest.compare import NAIVE, Comparison, compare
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.inspection.explaining import explain

VOID = {"br", "col", "hr", "img", "input", "link", "meta"}
HOSTILE = """<script>alert("x")</script>&amp; "A" 'B'"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """Read a page: its tags are balanced; keep its texts by tag, what it loads, and its tables."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.loads: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "srcset", "poster"):
                self.loads.append(value)
            assert not name.startswith("on")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self.open[-1] if self.open else ""
        self.texts.setdefault(tag, []).append(data)
        if tag in ("td", "th"):
            self.rows[-1][-1] += data


def wave(length: int = 84, name: str = "sales") -> pd.Series:
    t = np.arange(length)
    noise = np.random.default_rng(1).normal(size=length)
    values = 50 + 0.2 * t + 10 * np.sin(2 * np.pi * t / 12) + noise
    return pd.Series(values, pd.date_range("2015-01", periods=length, freq="MS"), name=name)


def contest(y: Any, **options: Any) -> Comparison:
    options = {"models": {"Markov": MarkovForecaster()}, "n_windows": 2} | options
    return compare(y, options.pop("horizon", 6), **options)


def write(comparison: Comparison, folder: Path, **options: Any) -> str:
    comparison.report(folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return contest(wave())


@pytest.fixture(scope="module")
def source(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(comparison, tmp_path_factory.mktemp("report"))


def test_the_page_holds_the_table_the_verdict_and_the_settings(
    comparison: Comparison, source: str
) -> None:
    page = Page(source)
    assert page.texts["h1"] == page.texts["title"] == ["Forecasting sales"]
    assert comparison.verdict in page.texts["p"]
    header, *rows = page.rows
    assert header == ["model", "MASE", "skill", "sMAPE", "MAE", "wQL", "in 80% band", "seconds"]
    assert [row[0] for row in rows] == comparison.table.index.tolist()
    assert [row[1] for row in rows] == [f"{mase:.3f}" for mase in comparison.table["mase"]]
    assert rows[0][2] == f"{comparison.table['skill'].iloc[0]:+.1%}"
    assert set(page.texts["span"]) == {"best", "best naive"}
    told = dict(zip(page.texts["dt"], [*page.texts["dd"], *page.texts["code"]], strict=True))
    assert told["steps ahead"] == "6" and told["steps in a season"] == "12"
    assert told["origins"] == "2, 2020-12-01 to 2021-06-01"
    assert told["models are fitted"] == "once, then updated"
    assert "pandas " + pd.__version__ in told["made"]
    assert told["Markov"] == repr(comparison.models["Markov"])
    assert {"MASE", "skill", "in 80% band"} <= set(told)


def test_the_page_loads_nothing(source: str) -> None:
    page = Page(source)
    assert len(page.loads) == 6
    for picture in page.loads:
        kind, _, data = picture.partition(";base64,")
        assert kind == "data:image/svg+xml" and b"<svg" in base64.b64decode(data)
    assert re.findall(r"https?:|@import|url\(", source) == []
    assert plt.get_fignums() == []


def test_the_reasons_of_a_forecast_are_on_the_page(
    comparison: Comparison, source: str, tmp_path: Path
) -> None:
    y = pd.Series(np.arange(20.0) % 4, name="y")
    why = explain(MarkovForecaster(order=2).fit(y), 2)
    comparison.report(tmp_path / "page.html", explanation=why)
    told = "what each part of the past"
    assert told in (tmp_path / "page.html").read_text() and told not in source


@pytest.mark.slow
def test_the_same_contest_gives_the_same_page(
    comparison: Comparison, source: str, tmp_path: Path
) -> None:
    assert write(comparison, tmp_path) == source


@pytest.mark.slow
def test_names_may_hold_html(tmp_path: Path) -> None:
    models = {HOSTILE: MarkovForecaster(), "<b>": NaiveForecaster(season_length=0)}
    with pytest.warns(Warning, match="<b> is left out"):
        found = contest(wave(name=HOSTILE), models=models)
    source = write(found, tmp_path)
    page = Page(source)
    assert "<script" not in source and "script" not in page.texts and "b" not in page.texts
    assert page.texts["h1"] == [f"Forecasting {HOSTILE}"]
    assert HOSTILE in [row[0] for row in page.rows] + [row[0][: len(HOSTILE)] for row in page.rows]
    assert any(text.startswith("<b> could not forecast: ValueError") for text in page.texts["li"])
    assert Page(write(found, tmp_path, title="<i>")).texts["title"] == ["<i>"]


def test_names_may_hold_what_no_page_may(tmp_path: Path) -> None:
    evil = "$\\frac{1}{$ \x1b[31m\x00"
    source = write(contest(wave(name=evil), models={evil: MarkovForecaster()}), tmp_path)
    assert not re.search("[\x00-\x09\x0b-\x1f]", source)
    assert Page(source).texts["h1"] == ["Forecasting $\\frac{1}{$ \\x1b[31m\\x00"]
    for image in re.findall('base64,([^"]+)', source):
        ElementTree.fromstring(base64.b64decode(image))


def test_many_series_are_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"A": wave(), "B": 1e3 * wave()[::-1].to_numpy(), "C": wave() ** 2})
    page = Page(write(contest(frame), tmp_path))
    assert page.texts["h1"] == ["Forecasting 3 series"]
    won = [int(row[page.rows[0].index("series won")]) for row in page.rows[1:]]
    assert sum(won) == 3
    assert any(text.startswith("3 series: 252 values, monthly") for text in page.texts["p"])


@pytest.mark.slow
def test_short_flat_and_silent_contests_have_a_report_too(tmp_path: Path) -> None:
    class Mean:
        """Know no quantiles."""

        def fit(self, y: pd.Series) -> Any:
            self.last, self.mean = y.index[-1], float(y.mean())
            return self

        def predict(self, horizon: int) -> pd.Series:
            return pd.Series(self.mean, range(self.last + 1, self.last + 1 + horizon))

    flat = contest(pd.Series(np.full(40, 3.0)), models={"mean": Mean()}, horizon=1, n_windows=1)
    page = Page(write(flat, tmp_path))
    assert page.rows[0][1:4] == ["MAE", "skill", "sMAPE"] and "–" in page.rows[1]
    assert len(page.loads) == 4  # with one step there is neither error nor coverage by step
    gaps = wave().where(wave().index.month != 3)
    assert len(Page(write(contest(gaps), tmp_path)).loads) == 6


def test_a_winner_among_the_naive(tmp_path: Path) -> None:
    walk = pd.Series(np.random.default_rng(0).normal(size=90).cumsum())
    found = contest(walk, models={})
    assert found.winner in NAIVE
    page = Page(write(found, tmp_path))
    assert page.texts["span"][0] == "best" and "best naive" not in page.texts["span"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_it_without_scrolling_sideways(
    source: str, tmp_path: Path, width: int
) -> None:
    # A headless window is no narrower than 500 pixels, a frame is.
    coded = base64.b64encode(source.encode("ascii", "xmlcharrefreplace")).decode()
    probe = (
        f"<iframe id=page width={width} height=2000 srcdoc=''></iframe><script>"
        "const page = document.getElementById('page');"
        "page.onload = () => { const inside = page.contentDocument;"
        "document.title = [inside.documentElement.scrollWidth,"
        "[...inside.images].filter(one => one.naturalWidth > 0).length,"
        "inside.querySelectorAll('tbody tr').length].join(' ') };"
        f"page.srcdoc = atob('{coded}')</script>"
    )
    (tmp_path / "probe.html").write_text(probe)
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
            "--virtual-time-budget=5000", (tmp_path / "probe.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout)
    assert title, done.stderr[-2000:]
    across, pictures, rows = map(int, title.groups())
    assert across <= width and pictures == 4 and rows == len(comparison.table)
