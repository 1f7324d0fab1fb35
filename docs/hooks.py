"""Fill the site from what exists once: texts from the top, the notebooks, the registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from notebook_pages import pages

from forecast.forecasters.registry import HOMES, LISTED

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}


def on_config(config: Any) -> Any:
    """Put the notebooks before the reference."""
    listed = [{page.title: f"notebooks/{name}.md"} for name, page in pages().items()]
    place = next(i for i, part in enumerate(config.nav) if "Reference" in part)
    config.nav.insert(place, {"Notebooks": listed})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add those texts, the notebooks, and the licence, to the files of the site."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        text = relocated((ROOT / name).read_text(encoding="utf-8"))
        if page == "index.md":
            text = f"---\nhide: [navigation]\n---\n{text}"
        files.append(File.generated(config, page, content=text))
    for name, page in pages().items():
        files.append(File.generated(config, f"notebooks/{name}.md", content=page.text))
        for picture, content in page.pictures.items():
            files.append(File.generated(config, f"notebooks/{picture}", content=content))
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    files.append(File.generated(config, "LICENSE.txt", content=licence))
    return files


def on_page_markdown(markdown: str, **about: Any) -> str:
    """List the forecasters of a room where a page says `<!-- forecasters in ROOM -->`."""
    mark = re.compile(r"^<!-- forecasters in (\w+) -->$", re.MULTILINE)
    return mark.sub(lambda found: listed(found[1]), markdown)


def listed(room: str) -> str:
    """Return what mkdocstrings reads for every forecaster of a room."""
    # their own files: names that are imported for type checkers only are not found
    own = [one for one in LISTED if one.file.startswith(f"{room}.")]
    paths = (f"{HOMES[one.forecaster]}.{one.forecaster}" for one in own)
    return "\n\n".join(f"::: {path}" for path in dict.fromkeys(paths))


def relocated(text: str) -> str:
    """Return a text with its links as seen from docs/."""
    text = re.sub(r"\]\(docs/", "](", text)
    for name, page in PAGES.items() | {("LICENSE", "LICENSE.txt")}:
        text = text.replace(f"]({name})", f"]({page})")
    return text
