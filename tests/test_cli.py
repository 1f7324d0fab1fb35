"""The command line: what it prints, writes and refuses."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner, Result

import forecast
from forecast.cli import app, options
from forecast.cli.following import appended
from forecast.cli.screen import spelled_as_options
from forecast.data.files import read_file
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.neural.pretrained import PretrainedForecaster
from forecast.forecasters.window.markov import MarkovForecaster

pytestmark = pytest.mark.filterwarnings("default::forecast._checks.ForecastWarning")

MONTHS = pd.date_range("2018-01", periods=60, freq="MS", name="Datum")
NOISE = np.random.default_rng(1).normal(0, 30, 60)
SALES = pd.Series(
    (1500 + 8 * np.arange(60) + 300 * np.sin(np.arange(60) * np.pi / 6) + NOISE).round(2),
    MONTHS,
    name="Umsatz",
)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Semicolons, decimal commas, day-first dates, shuffled and copied rows, a column of text."""
    rows = [
        f"{day:%d.%m.%Y};{f'{value:,.2f}'.translate(str.maketrans(',.', '.,'))};{note}"
        for (day, value), note in zip(SALES.items(), ["", "Inventur"] * 30, strict=True)
    ]
    rows = [rows[k] for k in np.random.default_rng(0).permutation(60)] + [rows[7], rows[9]]
    path = tmp_path / "messy.csv"
    path.write_bytes("\r\n".join(["Datum;Umsatz;Größe", *rows, ""]).encode("latin-1"))
    return path


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    path = tmp_path / "wide.csv"
    pd.DataFrame({"A": SALES, "B": SALES[::-1].to_numpy()}).to_csv(path)
    return path


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "100"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def table(result: Result) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(result.stdout))


def sentence(*arguments: object, code: int = 1) -> str:
    """Return what a refused command says: one line, on stderr, without a traceback."""
    result = run(*arguments, code=code)
    assert result.stdout == "" and "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    if code == 1:
        assert len(errors) == 1 and errors[0].startswith("error: ")
    return re.sub(r"[\s│╭╮╰╯─]+", " ", " ".join(errors))


def test_predict_reads_a_messy_file_and_prints_csv(messy: Path) -> None:
    result = run("predict", messy, "--horizon", 3, "--quantiles", "0.9,0.1", "--coverage", 0.5)
    shown = table(result)
    assert shown.columns.tolist() == ["Datum", "Umsatz", "q0.1", "q0.9", "lower", "upper"]
    assert shown["Datum"].tolist() == ["2023-01-01", "2023-02-01", "2023-03-01"]
    expected = PretrainedForecaster(horizon=3).fit(SALES)
    np.testing.assert_allclose(shown["Umsatz"], expected.predict(3))
    np.testing.assert_allclose(
        shown[["q0.1", "q0.9"]], expected.predict_quantiles(3, levels=[0.1, 0.9])
    )
    np.testing.assert_allclose(
        shown[["lower", "upper"]], expected.predict_interval(3, coverage=0.5)
    )
    notes = result.stderr.splitlines()
    assert "note: column 'Größe' (text) is not used." in notes
    assert "note: 2 rows are left out: copies of other rows." in notes


def test_predict_writes_paths_and_figures(wide: Path, tmp_path: Path) -> None:
    output, plot = tmp_path / "next.csv", tmp_path / "next.svg"
    arguments = ["--model", "seasonal-naive", "--paths", 2, "--random-state", 5, "--horizon", 2]
    result = run("predict", wide, *arguments, "--output", output, "--plot", plot, "--series", "B")
    assert result.stdout == "" and f"note: 2 rows are in {output}." in result.stderr
    names = [f"{name}{more}" for name in "AB" for more in ("", " path0", " path1")]
    assert read_file(output).columns.tolist() == names
    model = NaiveForecaster(strategy="seasonal").fit(read_file(wide))
    paths = model.sample(2, n_samples=2, random_state=5)
    np.testing.assert_allclose(read_file(output)["B path1"], paths["B", 1])
    assert plot.read_text().startswith("<?xml") and ">B<" not in plot.read_text()


def test_predict_long_tables_and_parquet(wide: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = read_file(wide).melt(ignore_index=False, var_name="shop", value_name="sales")
    frame.reset_index().to_csv(tmp_path / "long.csv", index=False)
    output = tmp_path / "next.parquet"
    arguments = ["--model", "markov", "--horizon", 2, "--quantiles", 0.5, "--output", output]
    run("predict", tmp_path / "long.csv", *arguments)
    shown = pd.read_parquet(output)
    assert shown.columns.tolist() == ["shop", "Datum", "sales", "q0.5"]
    expected = MarkovForecaster().fit(read_file(wide)).predict(2)
    np.testing.assert_allclose(shown["sales"], expected.to_numpy().T.ravel())


def test_fit_saves_and_predict_continues(messy: Path, tmp_path: Path) -> None:
    model = tmp_path / "sales.model"
    (tmp_path / "past.csv").write_text(SALES[:50].to_csv())
    arguments = ["--model", "markov", "--set", "order=13", "--horizon", 6, "--model-file", model]
    said = run("fit", tmp_path / "past.csv", *arguments).stderr
    assert f"forecast predict --model-file {model}" in said.replace("\n", "")
    alone = MarkovForecaster(order=13, horizon=6).fit(SALES[:50])
    shown = table(run("predict", "--model-file", model))
    np.testing.assert_allclose(shown["Umsatz"], alone.predict())
    result = run("predict", messy, "--model-file", model, "--horizon", 2)
    assert "note: 50 of 60 rows are part of the model's history." in result.stderr
    np.testing.assert_allclose(table(result)["Umsatz"], alone.update(SALES[50:]).predict(2))
    again = table(run("predict", tmp_path / "past.csv", "--model-file", model))
    np.testing.assert_allclose(again["Umsatz"], shown["Umsatz"])


def test_values_that_were_corrected_since_are_told(wide: Path, tmp_path: Path) -> None:
    model, corrected = tmp_path / "a.model", tmp_path / "corrected.csv"
    frame = read_file(wide)
    for table in (frame, frame["A"], frame.melt(ignore_index=False, var_name="shop")):
        table.to_csv(wide)
        run("fit", wide, "--model", "naive", "--model-file", model)
        assert "others" not in run("predict", wide, "--model-file", model).stderr
        table.replace(SALES.iloc[7], 1.0).to_csv(corrected)
        count = 2 if table.shape[-1] == 2 else 1
        said = run("predict", corrected, "--model-file", model).stderr
        assert f"{count} of their values are others than there, and not used" in said


def test_values_of_a_file_are_compared_by_series(wide: Path, tmp_path: Path) -> None:
    model, other = tmp_path / "a.model", tmp_path / "other.csv"
    run("fit", wide, "--model", "naive", "--model-file", model)
    frame = read_file(wide)
    for part in (frame[["B", "A"]], frame[["A"]], frame.assign(C=1.0)):
        part.to_csv(other)
        assert "others" not in run("predict", other, "--model-file", model).stderr


def test_standard_input_is_read(wide: Path) -> None:
    arguments = ["predict", "-", "--target-col", "A", "--model", "naive", "--horizon", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "forecast", *arguments],
        input=wide.read_text(), capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.stdout.endswith(f"2023-01-01,{SALES.iloc[-1]}\n"), done.stderr


def test_a_combination_within_a_budget_is_fitted_saved_and_read(tmp_path: Path) -> None:
    SALES.to_csv(tmp_path / "sales.csv")
    arguments = ["--model", "auto", "--set", "budget=0.3", "--horizon", 6]
    run("fit", tmp_path / "sales.csv", *arguments, "--model-file", tmp_path / "m.model")
    shown = table(run("predict", "--model-file", tmp_path / "m.model", "--coverage", 0.8))
    assert len(shown) == 6 and (shown["lower"] < shown["upper"]).all()


def test_a_saved_long_model_is_updated(wide: Path, tmp_path: Path) -> None:
    frame = read_file(wide).melt(ignore_index=False, var_name="shop", value_name="y").reset_index()
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame[frame["Datum"] < "2022-06"].to_csv(tmp_path / "past.csv", index=False)
    model = tmp_path / "m.model"
    run("fit", tmp_path / "past.csv", "--model", "naive", "--model-file", model)
    shown = table(run("predict", tmp_path / "all.csv", "--model-file", model, "--horizon", 1))
    np.testing.assert_allclose(shown["y"], read_file(wide).iloc[-1])


def test_covariates_may_stand_in_the_same_file(tmp_path: Path) -> None:
    x = pd.Series(np.random.default_rng(2).normal(size=72), name="temp")
    days = pd.date_range("2024-01-01", periods=72, freq="D")
    frame = pd.DataFrame({"day": days, "y": 3 * x, "temp": x})
    frame.loc[60:, "y"] = np.nan
    path, model = tmp_path / "both.csv", tmp_path / "m.model"
    frame.to_csv(path, index=False)
    arguments = ["--target-col", "y", "--X", path, "--model", "markov"]
    shown = table(run("predict", path, *arguments, "--horizon", 12))
    np.testing.assert_allclose(shown["y"], 3 * x[60:], atol=1e-6)
    run("fit", path, *arguments, "--model-file", model)
    again = table(run("predict", "--model-file", model, "--X", path, "--horizon", 12))
    np.testing.assert_allclose(again["y"], shown["y"])
    said = sentence("predict", path, *arguments, "--horizon", 13)
    assert "--X must have a row for every time" in said and "2024-03-13" in said


def shops() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sales of shops named by numbers, and their covariates: one known, one only past."""
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=50, freq="D")
    X = pd.DataFrame({"shop": np.repeat([10, 9], 50), "day": [*days, *days]})
    X = X.assign(price=rng.normal(size=100), rain=rng.normal(size=100))
    return X[["shop", "day"]].assign(sold=20 + 3 * X["price"] + X["shop"]), X


@pytest.mark.parametrize("kind", ["long", "multi", "polars"])
def test_covariates_of_a_model_that_was_fitted_in_python(kind: str, tmp_path: Path) -> None:
    y, X = shops()
    plan, model = tmp_path / "plan.csv", tmp_path / "shops.model"
    X.sample(frac=1, random_state=0).to_csv(plan, index=False)
    names: dict[str, Any] = {"id_col": "shop", "time_col": "day", "target_col": "sold"}
    fresh = MarkovForecaster(order=2, past_only=["rain"], **names)
    made: Any = {
        "long": lambda one: one,
        "multi": lambda one: one.set_index(["shop", "day"]),
        "polars": lambda one: pl.DataFrame({name: one[name].to_numpy() for name in one}),
    }[kind]

    def until(frame: pd.DataFrame, day: str) -> Any:
        return made(frame[frame["day"] < day])

    fresh.fit(until(y, "2024-02-10"), until(X, "2024-02-10")).save(model)
    asked = ["predict", "--model-file", model, "--X", plan, "--horizon", 3, "--coverage", 0.5]

    def equals_python(shown: pd.DataFrame) -> None:
        assert shown.columns.tolist() == ["shop", "day", "sold", "lower", "upper"]
        parts = [fresh.predict(3, made(X)), fresh.predict_interval(3, made(X), coverage=0.5)]
        if kind == "multi":
            parts = [part.reset_index() for part in parts]
        point, bounds = (pd.DataFrame({c: list(p[c]) for c in p.columns}) for p in parts)
        expected = point.assign(lower=bounds["lower"], upper=bounds["upper"])
        shown["day"] = pd.to_datetime(shown["day"])
        pd.testing.assert_frame_equal(shown, expected, check_dtype=False, rtol=1e-8)

    equals_python(table(run(*asked)))
    # and after an update from a file of the whole history
    y[y["day"] < "2024-02-14"].to_csv(tmp_path / "all.csv", index=False)
    shown = table(run("predict", tmp_path / "all.csv", *asked[1:], "--id-col", "shop"))
    later = y["day"].between("2024-02-10", "2024-02-13")
    fresh.update(made(y[later]), made(X))
    equals_python(shown)
    X[X["day"] < "2024-02-11"].to_csv(plan, index=False)
    said = sentence(*asked)
    assert "--X must have a row for every time" in said
    assert "2024-02-11 00:00:00 of series 9" in said


@pytest.mark.parametrize("kind", ["series", "wide"])
def test_a_model_of_a_polars_frame_without_ids(kind: str, tmp_path: Path) -> None:
    columns = {"day": MONTHS.to_numpy(), "3": SALES.to_numpy(), "4": SALES.to_numpy()[::-1]}
    if kind == "series":
        del columns["4"]
    NaiveForecaster(time_col="day").fit(pl.DataFrame(columns)).save(tmp_path / "m.model")
    shown = table(run("predict", "--model-file", tmp_path / "m.model", "--horizon", 1))
    assert shown.columns.tolist() == list(columns)
    assert shown.iloc[0].tolist() == [
        "2023-01-01",
        *(one[-1] for one in list(columns.values())[1:]),
    ]


def test_a_model_of_a_wide_frame_with_numbers_as_names(tmp_path: Path) -> None:
    wide = pd.DataFrame({2024: SALES, 7: 2 * SALES})
    NaiveForecaster().fit(wide[:50]).save(tmp_path / "m.model")
    wide.to_csv(tmp_path / "all.csv")
    shown = table(run("predict", tmp_path / "all.csv", "--model-file", tmp_path / "m.model"))
    assert shown.iloc[0, 1:].tolist() == [SALES.iloc[-1], 2 * SALES.iloc[-1]]


def test_a_model_of_a_list_is_refused(tmp_path: Path) -> None:
    NaiveForecaster().fit([SALES, SALES[:30].rename("B")]).save(tmp_path / "m.model")
    assert "fitted to a list of Series" in sentence("predict", "--model-file", tmp_path / "m.model")


def test_networks_are_set_by_name(wide: Path) -> None:
    small = ["--set", "max_epochs=1", "--set", "hidden_size=4", "--set", "head=normal"]
    result = run("predict", wide, "--model", "MLP", *small, "--horizon", 1)
    assert np.isfinite(table(result)[["A", "B"]]).all(axis=None)
    assert "validation" in result.stderr  # the bar of the training
    assert options.settings(["a-b=[1, 2]", "c=true", "d=null", "e=word", "f=1e-3"]) == {
        "a_b": [1, 2], "c": True, "d": None, "e": "word", "f": 0.001,
    }  # fmt: skip


def test_backtest_scores_each_origin(messy: Path, tmp_path: Path) -> None:
    output, plot = tmp_path / "table.csv", tmp_path / "error.PNG"
    arguments = ["--model", "markov", "--horizon", 6, "--windows", 2, "--refit", 1]
    result = run("backtest", messy, *arguments, "--output", output, "--plot", plot)
    for word in ("origin", "mase", "coverage0.8", "2021-12-01", "2022-06-01", "all"):
        assert word in result.stdout
    expected = forecast.backtest(
        MarkovForecaster(horizon=6), SALES, 6, n_windows=2, refit=True, quantiles=[0.1, 0.9]
    )
    written = pd.read_csv(output)
    np.testing.assert_allclose(written[["y_hat", "q0.1"]], expected[["y_hat", "q0.1"]], rtol=1e-8)
    assert (written["model"] == "markov").all()
    assert plot.read_bytes().startswith(b"\x89PNG")
    mae = (expected["y"] - expected["y_hat"]).abs().mean()
    assert f"{mae:#.4g}" in result.stdout


def test_compare_prints_table_and_verdict_and_writes(messy: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"contest.{name}" for name in ("csv", "png", "html")}
    result = run(
        "compare", messy, "--models", "markov,Seasonal-Naive", "--horizon", 5, "--windows", 2,
        "--output", files["csv"], "--plot", files["png"], "--report", files["html"],
    )  # fmt: skip
    expected = forecast.compare(SALES, 5, models={"Markov": MarkovForecaster()}, n_windows=2)
    assert expected.verdict in result.stdout.replace("\n", " ")
    for word in ("Markov", "seasonal naive", "drift", "mase", "skill", "seconds"):
        assert word in result.stdout
    written = pd.read_csv(files["csv"], index_col="model")
    np.testing.assert_allclose(written["mase"], expected.table["mase"], rtol=1e-8)
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert "<title>Forecasting messy</title>" in files["html"].read_text()


FORMS = {
    "household power": (
        pd.date_range("2006-12-16 17:24", periods=300, freq="min"),
        "Date;Time;Global_active_power;Voltage",
        lambda t, k: f"{t:%d/%m/%Y;%H:%M:%S};{k % 60}.216;{'?' if k == 7 else 234.84}",
        ["Global_active_power", "Voltage"],
    ),
    "CO2": (
        pd.date_range("1958-03-01", periods=96, freq="MS"),
        "year,month,decimal date,average,deseasonalized",
        lambda t, k: f"{t.year},{t.month},{t.year + (t.month - 0.5) / 12:.4f},{315 + k % 12},{k}",
        ["average", "deseasonalized"],
    ),
    "bike sharing": (
        pd.date_range("2011-01-01", periods=400, freq="h"),
        "instant,dteday,season,yr,mnth,hr,weekday,temp,cnt",
        lambda t, k: (
            f"{k + 1},{t:%Y-%m-%d},1,{t.year - 2011},{t.month},{t.hour},"
            f"{(t.day_of_week + 1) % 7},0.{k % 24:02d},{10 + k % 24}"
        ),
        ["season", "temp", "cnt"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_well_known_files_need_no_option(form: str, tmp_path: Path) -> None:
    times, header, line, names = FORMS[form]
    path = tmp_path / "file.csv"
    path.write_text("\n".join([header, *(line(t, k) for k, t in enumerate(times)), ""]))
    shown = table(run("predict", path, "--model", "seasonal-naive", "--horizon", 2))
    assert shown.columns.tolist()[1:] == names
    step = times[1] - times[0]
    first = shown.iloc[0, 0] if form != "CO2" else shown.iloc[0, 0] + "-01"
    expected = times[-1] + (pd.DateOffset(months=1) if form == "CO2" else step)
    assert pd.Timestamp(first) == expected
    output = run("compare", path, "--models", "naive", "--horizon", 2).output
    assert f"{len(names)} series" in output


def test_compare_takes_a_data_set_by_name() -> None:
    shown = run("compare", "nile", "--models", "naive", "--horizon", 5, "--windows", 2).stdout
    assert "5 steps ahead, 2 origins" in shown.replace("\n", " ")


def test_words_are_forecast_by_whether_each_occurs() -> None:
    result = run("predict", "shop_clicks", "--model", "ets", "--horizon", 3)
    assert "note: shop_clicks holds words: each is a series, 1 where it occurs" in result.stderr
    occurs = table(result).set_index("ds")
    assert list(occurs) == ["browse", "cart", "enter", "leave", "pay", "search", "view"]
    assert occurs.isin([0, 1]).all(axis=None)  # the median of what occurs or does not


def test_symbols_of_a_file_are_fitted_saved_and_forecast(tmp_path: Path) -> None:
    rng, path, model = np.random.default_rng(0), tmp_path / "events.csv", tmp_path / "a.model"
    words = pd.DataFrame({"ds": range(1, 91), "event": rng.choice(["go", "stop"], 90)})
    words[:80].to_csv(path, index=False)
    run("fit", path, "--model", "symbols", "--set", "max_epochs=1", "--model-file", model)
    words.to_csv(path, index=False)
    shown = table(run("predict", path, "--model-file", model, "--horizon", 2, "--paths", 3))
    assert shown["ds"].tolist() == [91, 92]
    assert list(shown) == ["ds", "event", "p_go", "p_stop", "path0", "path1", "path2"]
    np.testing.assert_allclose(shown["p_go"] + shown["p_stop"], 1, atol=1e-6)
    assert shown["event"].isin(["go", "stop"]).all()
    figure = tmp_path / "a.png"
    run("predict", path, "--model", "n-grams", "--plot", figure)
    assert figure.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "shop_clicks", "--model", "n-grams", "--coverage", 0.8], "have no quantiles"),
        (["backtest", "shop_clicks", "--model", "symbols"], "errors have no size"),
        (["compare", "elnino", "--models", "n-grams"], "errors have no size"),
    ],
)
def test_what_cannot_be_asked_of_symbols_is_said(arguments: list[Any], message: str) -> None:
    assert message in " ".join(run(*arguments, code=2).stderr.replace("│", " ").split())


def test_options_reach_the_models(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    pd.DataFrame({"t": np.arange(0, 80, 2), "x": np.tile([1.0, 5, 2, 8], 10)}).to_csv(
        path, index=False
    )
    arguments = ["--model", "seasonal-naive", "--season-length", 4, "--freq", 2, "--horizon", 4]
    shown = table(run("predict", path, *arguments))
    assert shown.to_dict("list") == {"t": [80, 82, 84, 86], "x": [1, 5, 2, 8]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "none.csv"], "there is no file 'none.csv'"),
        (["predict", "FILE", "--horizon", -3], "--horizon must be a positive integer, got -3"),
        (
            ["predict", "FILE", "--decimal", "."],
            "must have a column of numbers .*'Umsatz'.* --target-col",
        ),
        (["predict", "FILE", "--target-col", "Größe"], "'Größe' must hold numbers, got 'Inv"),
        (["predict", "FILE", "--time-col", "Zeit"], "--time-col must be a column of the table"),
        (["predict", "FILE", "--model-file", "FILE"], "is no saved forecaster"),
        (["predict", "FILE", "--series", "Z", "--plot", "a.png"], "--series must be one of"),
        (["compare", "FILE", "--horizon", 40], "--windows=4 windows of horizon=40"),
        (["fit", "FILE", "--set", "season_length=0", "--model-file", "m"], "--season-length must"),
    ],
)
def test_a_refusal_is_one_sentence(messy: Path, arguments: list[Any], said: str) -> None:
    arguments = [messy if one == "FILE" else one for one in arguments]
    result = run(*arguments, code=1)
    assert "Traceback" not in result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and re.search(said, errors[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "nil"], "no data set of that name; known are .* nile"),
        (["predict"], "give DATA, or --model-file FILE"),
        (["predict", "nile", "--model", "prophet"], "'prophet' is no model; known are naive,"),
        (
            ["predict", "nile", "--set", "alpha=1"],
            "pre-trained has no parameter 'alpha'; it has .*fine_tune",
        ),
        (["predict", "nile", "--set", "alpha"], "needs name=value, got 'alpha'"),
        (["predict", "nile", "--quantiles", "5"], "numbers between 0 and 1 .* got '5'"),
        (["predict", "nile", "--quantiles", "a,b"], "numbers between 0 and 1 .* got 'a,b'"),
        (["predict", "nile", "--output", "no/where.csv"], "there is no folder 'no'"),
        (["predict", "nile", "--plot", "a.foo"], "must end in .png, .svg or .pdf, got 'a.foo'"),
        (["predict", "nile", "--output", "a.XLSX"], "must end in .csv, which a spreadsheet opens"),
        (["predict", "nile", "--horizon", "many"], "Invalid value for '--horizon': .* integer"),
        *(
            (["predict", "--model-file", "a.model", *given], f"{given[0]}: a saved model is what")
            for given in (["--model", "ets"], ["--set", "x=1"], ["--season-length", "4"])
        ),
        (["compare", "nile", "--models", "ets,arma"], "'arma' is no model"),
        (["forecast"], "No such command"),
        (["watch", "-"], "a file that grows is watched, and standard input cannot be read again"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], said: str) -> None:
    assert re.search(said, sentence(*arguments, code=2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "a.csv", "--output", "./a.csv"], "a.csv is DATA, too, and would be overwr"),
        (["fit", "a.csv", "--model-file", "a.csv"], "a.csv is DATA, too, and would be overwritten"),
        (["predict", "a.csv", "--X", "x", "--plot", "x"], "x is --X, too, and would be"),
        (["predict", "--model-file", "m", "--output", "m"], "m is --model-file, too, and would be"),
        (["predict", "-", "--output", "in"], "in is DATA, too"),
        (["compare", "nile", "--output", "r", "--report", "r"], "r is --output, too"),
    ],
)
def test_no_file_that_is_read_is_written_over(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "x", "m", "in"):
        Path(name).touch()
    own = os.dup(0)
    try:
        with open("in") as file:
            os.dup2(file.fileno(), 0)
        assert re.search(said, sentence(*arguments, code=2))
    finally:
        os.dup2(own, 0)
        os.close(own)


def test_a_file_may_have_the_name_of_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("predict", "nile", "--model", "naive", "--output", "nile")
    assert Path("nile").read_text().startswith("ds,nile\n1971")


def test_debug_shows_where(messy: Path) -> None:
    result = CliRunner().invoke(app, ["--debug", "predict", str(messy), "--horizon", "-3"])
    assert isinstance(result.exception, ValueError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FloatingPointError("the loss is nan"), "FloatingPointError: the loss is nan. `forecast"),
        (OverflowError("too large"), "OverflowError: too large. `forecast --debug` before the"),
        (MemoryError(), "error: MemoryError. `forecast --debug` before the command shows where"),
        (ValueError("a \x1b[31mred\nname"), r"error: a \\x1b\[31mred\\nname$"),
    ],
)
def test_whatever_fails_is_one_sentence(
    error: Exception, said: str, messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(PretrainedForecaster, "_fit", fail)
    assert re.search(said, sentence("predict", messy).strip())
    result = CliRunner().invoke(app, ["--debug", "predict", str(messy)])
    assert result.exception is error


def test_what_every_reading_of_the_data_logs_is_noted_once(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=30) + pd.to_timedelta(np.arange(30) % 2 * 9, "s")
    pd.DataFrame({"ds": times, "y": 1.0}).to_csv(path := tmp_path / "late.csv", index=False)
    assert run("backtest", path, "--model", "naive").stderr.count("were moved") == 1


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Units of unequal lengths, whose state says how large the first feature has been."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"unit": f"u{k}", "day": range(1, n + 1), "a": rng.normal(size=n), "b": 1.5})
        for k, n in enumerate(rng.integers(4, 9, 12))
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["state"] = np.where(rows.groupby("unit")["a"].cummax() > 1, "high", "low")
    rows["most"] = rows.groupby("unit")["a"].transform("max").round(3)
    path = tmp_path / "units.csv"
    rows.sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


BRIEFLY = ["--set", "max_epochs=1", "--set", "hidden_size=4", "--id-col", "unit"]


def test_labels_at_every_step_are_learned_saved_and_told(units: Path, tmp_path: Path) -> None:
    file, rows = tmp_path / "a.model", pd.read_csv(units)
    label = ["--set", "each_step=true", "--target-col", "state"]
    run("fit", units, "--model", "sequence-classifier", *BRIEFLY, *label, "--model-file", file)
    shown = table(run("predict", units, "--model-file", file))
    assert list(shown) == ["unit", "day", "predicted", "p_high", "p_low"]
    assert len(shown) == len(rows) and shown["predicted"].isin(["high", "low"]).all()
    np.testing.assert_allclose(shown["p_high"] + shown["p_low"], 1, atol=1e-6)
    model, keyed = forecast.load(file), rows.sort_values(["unit", "day"])
    by_hand = model.predict_proba(keyed[["unit", "day", "a", "b", "most"]])["high"]
    at = shown.sort_values(["unit", "day"])["p_high"]
    np.testing.assert_allclose(at, by_hand, rtol=1e-6)


def test_a_number_of_every_unit_is_told_where_no_label_is(units: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "a.model", tmp_path / "new.csv"
    label = ["--target-col", "most", "--model-file", file]
    run("fit", units, "--model", "sequence-regressor", *BRIEFLY, *label)
    pd.read_csv(units).drop(columns=["most", "state"]).query("unit < 'u3'").to_csv(new, index=False)
    shown = table(run("predict", new, "--model-file", file))
    assert list(shown) == ["unit", "predicted"] and shown["unit"].str.startswith("u").all()
    assert np.isfinite(shown["predicted"]).all()
    pd.read_csv(new).drop(columns="b").to_csv(new, index=False)
    assert "missing ['b']" in sentence("predict", new, "--model-file", file)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--target-col", "state", "--id-col", "unit"], "must have one label, got 2 for 'u", 1),
        (["--id-col", "unit"], "say which column holds the labels", 2),
        (["--target-col", "gone"], "must be a column of the table, got 'gone'", 1),
    ],
)
def test_labels_that_cannot_be_learned_are_named(
    arguments: list[str], said: str, code: int, units: Path, tmp_path: Path
) -> None:
    rest = ["--model", "sequence-classifier", "--model-file", tmp_path / "a.model"]
    assert said in sentence("fit", units, *arguments, *rest, code=code)


def test_what_an_estimator_of_sequences_is_not_for_is_said(tmp_path: Path) -> None:
    X, file = np.random.default_rng(0).normal(size=(8, 3)), tmp_path / "a.model"
    model = forecast.SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0)
    model.fit(X, X.sum(1)).save(file)
    assert "give the file of the units" in sentence("predict", "--model-file", file, code=2)
    assert "fitted to a table" in sentence("predict", "elnino", "--model-file", file)
    assert "continues no series" in sentence(
        "predict", tmp_path, "--model-file", file, "--output", tmp_path / "b"
    )
    for verb in ("predict", "backtest", "watch"):
        arguments = [verb, "elnino", "--model", "sequence-regressor"]
        assert "answers for sequences" in sentence(*arguments, code=2)
    asked = ["predict", "elnino", "--model-file", file, "--coverage", 0.8]
    assert "forecasts nothing" in sentence(*asked, code=2)


def test_names_do_nothing_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m\u202e"
    SALES.rename(evil).to_csv(tmp_path / "a.csv")
    monkeypatch.setattr("forecast.cli.to_a_person", lambda: True)
    model = tmp_path / "a.model"
    for arguments in (
        ["predict", tmp_path / "a.csv", "--model", "drift", "--horizon", 2],
        ["fit", tmp_path / "a.csv", "--model", "drift", "--model-file", model],
        ["predict", "--model-file", model],
    ):
        result = run(*arguments)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", result.output)
        assert "owned" in result.stdout or arguments[0] == "fit"


def interrupted(*arguments: object, at: str) -> subprocess.CompletedProcess[str]:
    """Run a command that gets Ctrl-C from itself when it calls `at`, "module:function"."""
    module, function = at.split(":")
    code = (
        "import os, signal, sys, importlib, forecast.__main__ as entry\n"
        f"sys.argv[1:] = {[str(one) for one in arguments]!r}\n"
        "def interrupt(*_, **__):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    raise AssertionError('went on')\n"
        "real = signal.signal\n"
        "def ready(*given):\n"
        "    real(*given)\n"
        f"    setattr(importlib.import_module({module!r}), {function!r}, interrupt)\n"
        "signal.signal = ready\n"
        "entry.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("at", [pytest.param("typer:Typer", marks=pytest.mark.slow), "os:fsync"])
def test_ctrl_c_exits_with_130(at: str, messy: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    output.write_text("old")
    done = interrupted("predict", messy, "--model", "naive", "--output", output, at=at)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("\ninterrupted\n") and "Traceback" not in done.stderr
    assert output.read_text() == "old" and set(tmp_path.iterdir()) == {output, messy}


def test_messages_speak_of_options() -> None:
    message = "`id_col` and target_col, day_first=False, decimal=',', `n_windows`=3, `levels`"
    said = "--id-col and --target-col, --month-first, --decimal ,, --windows=3, --quantiles"
    assert spelled_as_options(message) == said


def test_a_person_sees_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.cli.to_a_person", lambda: True)
    shown = run("predict", "nile", "--model", "drift", "--horizon", 2).stdout
    assert "1971-01-01" in shown and "──" in shown and "," not in shown


def test_datasets_are_listed() -> None:
    shown = run("datasets").stdout
    assert "nile" in shown and "co2" in shown and "horizon" in shown


def test_help_has_examples_and_fits_80_columns() -> None:
    for command in ("", "compare", "fit", "predict", "backtest", "datasets"):
        result = CliRunner().invoke(
            app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
        )
        assert result.exit_code == 0 and f"forecast {command}".strip() in result.output
        assert "Examples" in result.output
        assert max(map(len, result.output.splitlines())) <= 80
    assert run("--version").stdout == f"forecast {forecast.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom forecast.cli import app\napp(['--help'], standalone_mode=False)\n"
        "print(*{'torch', 'pandas', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == ""


def test_python_m_forecast_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forecast", "--version"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout.startswith("forecast ")


@pytest.fixture
def sensor(tmp_path: Path) -> Path:
    path = tmp_path / "sensor.csv"
    y = pd.Series(np.random.default_rng(0).normal(size=203).round(3), name="volt")
    y.iloc[-2] = 12.0
    y.index = pd.date_range("2024-01-01", periods=203, freq="h", name="time")
    y.to_csv(path)
    return path


def test_watch_prints_each_of_the_last_values_and_its_alarm(sensor: Path) -> None:
    printed = run("watch", sensor, "--model", "markov", "--last", 3, "--wait", 0).stdout
    table = pd.read_csv(io.StringIO(printed))
    assert table["time"].tolist() == [f"2024-01-09 {hour}:00:00" for hour in ("08", "09", "10")]
    assert table["value"].iloc[1] == 12
    assert table["alarm"].tolist()[1] == "alarm"
    assert table["alarm"].isna().sum() == 2


def test_watch_needs_a_history_and_waits_for_a_file_that_was_emptied(sensor: Path) -> None:
    said = sentence("watch", sensor, "--last", 203)
    assert "--last must be less than the 203 times there are, got 203." in said
    items = appended(str(sensor), options.Reading(), pd.Timestamp("2024-01-09 08:00"), wait=0.0)
    assert next(items)[0].item() == 12
    sensor.write_text("")
    assert len(list(items)) == 1


def test_watch_reads_whole_lines_that_are_appended(sensor: Path) -> None:
    last = pd.Timestamp("2024-01-09 10:00")
    items = appended(str(sensor), options.Reading(), last, wait=0.0)
    with sensor.open("a") as file:
        file.write("2024-01-09 11:00:00,1.5\n2024-01-09 12:00:00,2.5\n")
    assert next(items)[0].tolist() == [1.5]
    assert next(items)[0].tolist() == [2.5]
    with sensor.open("a") as file:
        file.write("2024-01-09 13:00:00,3")
    assert list(items) == []
    with sensor.open("a") as file:
        file.write(".5\n")
    new = appended(str(sensor), options.Reading(), last, wait=0.0)
    assert [rows.item() for rows, _ in new] == [1.5, 2.5, 3.5]


def test_a_folder_is_forecast_into_another(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=40, freq="D")
    rows = [pd.DataFrame({"shop": k, "day": days, "sold": 5.0 + k}) for k in range(4)]
    (tmp_path / "sales").mkdir()
    pd.concat(rows).to_parquet(tmp_path / "sales" / "rows.parquet", index=False)
    named = ("--id-col", "shop", "--time-col", "day", "--target-col", "sold")
    place = tmp_path / "next"
    result = run(
        "predict",
        tmp_path / "sales",
        *named,
        "--horizon",
        3,
        "--output",
        place,
        "--quantiles",
        ".9",
    )
    assert "the forecasts are in" in result.stderr
    found = pd.concat(pd.read_parquet(file) for file in place.glob("*.parquet"))
    assert found.columns.tolist() == ["shop", "day", "sold", "q0.9"] and len(found) == 12
    np.testing.assert_allclose(found["sold"], 5 + found["shop"])
    result = run("predict", tmp_path / "sales", "--horizon", 3, code=2)
    assert "--output" in result.stderr
    result = run("predict", tmp_path / "sales", "--plot", "a.png", "--output", place, code=2)
    assert "--plot" in result.stderr
