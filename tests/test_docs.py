"""What the documentation shows runs, and prints what it says."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast
from forecast.cli import app
from forecast.forecasters.registry import HOMES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = {
    "README",
    "choosing",
    "command-line",
    "evaluation",
    "extending",
    "neighbours",
    "sequences",
    "shapes",
    "streaming",
    "symbols",
}  # train
FENCE = re.compile(
    r"^(?:<!-- (?:needs (?P<needs>\w+)|within (?P<within>[\d.]+)) -->\n)?"
    r"```(?P<kind>\w*)\n(?P<code>.*?)^```$\n?"
    r"(?:\n```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def blocks(page):
    """Return the fenced blocks of a page: language, code, the output under it, and its terms.

    A comment above a block names a module that it needs, or how far its numbers may be off.
    """
    return [found.groupdict() for found in FENCE.finditer(page.read_text(encoding="utf-8"))]


def run_commands(code, names):
    """Run a command a line; pages show what `predict` prints, for the others it is too much."""
    for line in code.splitlines():
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
        if "predict" in line:
            print(result.stdout)


RUNS = {"python": lambda code, names: exec(code, names), "bash": run_commands}


def same(expected, printed, within=None):
    """Tell whether two texts say the same: their decimals may be off, by one in the last digit."""
    texts = [NUMBER.sub("#", text).split() for text in (expected, printed)]
    if texts[0] != texts[1]:
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= tolerance(a, within) for a, b in pairs)


def tolerance(number, within=None):
    """Return how far off a number may be; a whole one must agree."""
    _, point, digits = number.partition(".")
    return 0.0 if not point else float(within or 1.001 * 10.0 ** -len(digits))


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in SLOW)) for p in PAGES],
)
@pytest.mark.filterwarnings("ignore:.*[Oo]ptuna")
@pytest.mark.filterwarnings("ignore:.*loader strategy is deprecated")  # MLflow's, of its database
def test_page_runs_and_prints_what_it_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for block in blocks(page):
        absent = block["needs"] and importlib.util.find_spec(block["needs"]) is None
        if block["kind"] not in RUNS or absent:
            continue
        code, expected = block["code"], block["output"] or ""
        RUNS[block["kind"]](code, names)
        printed = capsys.readouterr().out
        assert same(expected, printed, block["within"]), f"{code}\nprints\n{printed}not\n{expected}"


def test_comparing_outputs():
    assert same("a   1.25\n", "a 1.26") and same("3 rows", "3 rows")
    assert same("1.2", "1.7", within="0.5") and not same("1.2", "1.8", within="0.5")
    assert not same("1.25", "1.27") and not same("3 rows", "4 rows")
    assert not same("a 1.0", "b 1.0") and not same("", "1.0")


def test_choosing_tells_what_the_experiments_recorded():
    skill = pd.read_csv(ROOT / "experiments" / "defaults.csv").pivot_table(
        index="model", columns="series", values="skill", sort=False
    )
    skill = (100 * skill.loc[skill.mean(axis=1).sort_values(ascending=False).index]).round()
    rows = [
        " | ".join([model, *("–" if np.isnan(share) else f"{share:.0f}" for share in row)])
        for model, row in zip(skill.index, skill.to_numpy() + 0.0, strict=True)
    ]
    page = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    table = "\n".join(f"| {row} |" for row in rows)
    assert table in page, f"the table must be\n{table}"


@pytest.mark.slow
def test_site_builds_and_fetches_nothing(tmp_path):
    pytest.importorskip("mkdocs", reason="`make docs` installs it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loads = re.compile(
        r"""(?:<(?:script|img|link|iframe)[^>]*(?:src|href)=|url\()["']?(?:https?:)?//"""
    )
    texts = [file for kind in ("html", "css") for file in tmp_path.rglob(f"*.{kind}")]
    assert len(texts) > 20
    assert [file.name for file in texts if loads.search(file.read_text(encoding="utf-8"))] == []


def test_links_between_texts_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)", text):
            linked = (page.parent / target).resolve()
            assert "://" in target or linked.exists(), f"{page.name}: {target}"


def test_modules_that_texts_name_are_there():
    rooms = ("forecast", "tests", "benchmarks", "datasets", "docs", "notebooks", "pretraining")
    there = [path for room in rooms for path in (ROOT / room).rglob("*.py")] + [*ROOT.glob("*.py")]
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "pretraining" / "README.md"]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for name in re.findall(r"`(?:\.\./)?([\w/-]+\.py)`", text):
            assert any(path.as_posix().endswith(f"/{name}") for path in there), (
                f"{page.name}: {name}"
            )


@pytest.fixture
def hooks(monkeypatch):
    """Return `docs/hooks.py` as MkDocs imports it."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return hooks


def test_reference_has_every_exported_name(hooks):
    pages = [
        hooks.on_page_markdown(page.read_text(encoding="utf-8"))
        for page in (ROOT / "docs" / "api").glob("*.md")
    ]
    shown = set(re.findall(r"^::: ([\w.]+)$", "\n".join(pages), re.MULTILINE))
    homes = {name: f"{home}.{name}" for name, home in HOMES.items()}
    assert {homes.get(name, f"forecast.{name}") for name in forecast.__all__} <= shown


def test_notebooks_are_pages_with_their_pictures(hooks):
    pages = hooks.pages()
    assert set(pages) == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    for name, page in pages.items():
        assert page.title.startswith(name[:2])
        assert set(re.findall(r"!\[.*?\]\((.+?)\)", page.text)) == set(page.pictures)
        assert all(picture.startswith(b"\x89PNG") for picture in page.pictures.values())
        assert "```python" in page.text
        for target in re.findall(r"[^!]\[[^\]]*\]\((\.\./[^)#]+)", page.text):
            assert (ROOT / "docs" / "notebooks" / target).resolve().exists(), target
