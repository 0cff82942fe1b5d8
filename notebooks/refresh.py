"""Run the notebooks of a folder, by default of this one, and save them with what they show: `make notebooks`."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
LANGUAGE = {"name": "python"}  # without the version of whoever ran it
#: A live view means nothing in a saved notebook; the picture beside it does.
FLEETING = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Refresh all notebooks; the first error ends it and saves nothing of that notebook."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
        notebook.metadata.pop("widgets", None)
        notebook.metadata.language_info = LANGUAGE
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            if cell.cell_type == "code":
                cell.outputs = [output for output in map(_lasting, cell.outputs) if output is not None]
        nbformat.write(notebook, path)


def _lasting(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    if output.get("name") == "stderr":
        return None  # what is printed while waiting
    data = output.get("data", {})
    if data.pop(FLEETING, None) is not None and "text/html" not in data:
        return None
    return output


if __name__ == "__main__":
    main()
