"""Execute every notebook in a fresh kernel and keep its outputs: people read them where they lie.

    python notebooks/execute.py [NAME ...]

The metadata keep a hash of the code cells, so that a test can tell outputs of other code.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent


def hash_of(notebook: NotebookNode) -> str:
    """Return the hash of the code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\n".join(sources).encode()).hexdigest()


def execute(path: Path) -> NotebookNode:
    """Return a notebook with the outputs of a fresh kernel."""
    notebook = nbformat.read(path, as_version=4)
    options = {"timeout": 600, "record_timing": False}
    NotebookClient(notebook, resources={"metadata": {"path": str(FOLDER)}}, **options).execute()
    for cell in notebook.cells:
        if "outputs" in cell:  # warnings name places on this machine
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return notebook


def main() -> None:
    """Write the outputs into the notebooks that are named, or into all."""
    for path in [FOLDER / name for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        print(f"notebooks: {path.name}")
        notebook = execute(path)
        # what the kernel says of itself, its version, is no part of a notebook
        notebook.metadata["language_info"] = {"name": "python"}
        notebook.metadata["code_hash"] = hash_of(notebook)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
