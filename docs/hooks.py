"""Put the texts that live at the top of the repository on the site, so that each exists once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}


def on_files(files: Any, config: Any) -> Any:
    """Add those texts, and the licence, to the files of the site."""
    for name, page in PAGES.items():
        text = relocated((ROOT / name).read_text(encoding="utf-8"))
        if page == "index.md":
            text = f"---\nhide: [navigation]\n---\n{text}"
        files.append(File.generated(config, page, content=text))
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    files.append(File.generated(config, "LICENSE.txt", content=licence))
    return files


def relocated(text: str) -> str:
    """Return a text with its links as seen from docs/."""
    text = re.sub(r"\]\(docs/", "](", text)
    for name, page in PAGES.items() | {("LICENSE", "LICENSE.txt")}:
        text = text.replace(f"]({name})", f"]({page})")
    return text
