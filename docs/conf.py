"""How Sphinx builds the documentation; `make docs` runs it. Nothing is fetched from the network."""

from __future__ import annotations

from parsl.version import VERSION

project = "Parsl"
author = "Parsl developers"
project_copyright = "Parsl developers"
release = version = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

# Links to headings of other pages, as GitHub understands them too.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# The docstrings say what is accepted and in which unit; a signature with all the types is hard to read.
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"Parsl {VERSION}"
html_copy_source = False
html_show_sourcelink = False
