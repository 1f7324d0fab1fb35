"""Notebooks as pages of the site: text, code, and the outputs that are committed with it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


class Page(NamedTuple):
    """A notebook in Markdown, and its pictures by the names that the text uses."""

    title: str
    text: str
    pictures: dict[str, bytes]


def pages() -> dict[str, Page]:
    """Return the page of every notebook, by its name without the ending."""
    return {path.stem: page_of(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}


def page_of(path: Path) -> Page:
    """Return a notebook as a page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    pictures: dict[str, bytes] = {}
    parts = []
    for cell in cells:
        source = joined(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(fenced(source, "python"))
        for output in cell["outputs"]:
            name = f"{path.stem}-{len(pictures)}.png"
            parts.append(shown(output, name, pictures))
    title = re.search(r"^# (.+)$", parts[0], re.MULTILINE)
    text = re.sub(r"\]\(\.\./docs/", "](../", "\n\n".join(filter(None, parts)))
    return Page(title[1] if title else path.stem, text + "\n", pictures)


def shown(output: dict[str, Any], name: str, pictures: dict[str, bytes]) -> str:
    """Return what a cell printed, or drew: the picture is kept by its name."""
    data = output.get("data", {})
    if "image/png" in data:
        pictures[name] = base64.b64decode(joined(data["image/png"]))
        return f"![what the code above draws]({name})"
    text = joined(output.get("text", data.get("text/plain", "")))
    return fenced(text, "text") if text.strip() else ""


def fenced(text: str, language: str) -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def joined(lines: str | list[str]) -> str:
    """Return a text that a notebook may hold line by line."""
    return lines if isinstance(lines, str) else "".join(lines)
