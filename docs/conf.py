"""The documentation site, as `make docs` builds it from the repository."""

from __future__ import annotations

import pipeline_widgets

project = "pipeline_widgets"
copyright = "the authors of pipeline_widgets"  # noqa: A001  Sphinx's own name
release = version = pipeline_widgets.__version__

# The source folder is the repository, so that a link that works in it works on the site as well.
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/**", "CHANGELOG.md", ".github/CONTRIBUTING.md"]
exclude_patterns = ["docs/conf.py", "docs/pictures", "**/.ipynb_checkpoints"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

suppress_warnings = ["misc.highlighting_failure"]  # a cell that writes a file is no Python

nb_execution_mode = "off"  # what a notebook shows was saved by `make notebooks`; the tests run it
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
default_role = "code"  # docstrings set names in single backticks

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_use_rtype = False

copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = "pipeline_widgets"
html_copy_source = html_show_sourcelink = False
pygments_style, pygments_dark_style = "friendly", "monokai"
