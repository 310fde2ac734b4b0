"""Sphinx's settings: ``sphinx-build -W -b html docs docs/_build/html``.

Python examples in the pages are run by pytest, those of the gallery by this build.
"""

import logging
import warnings

from sphinx.util.nodes import get_node_source

import sklearn_ae

project = "sklearn-ae"
author = "the sklearn-ae developers"
copyright = f"{author}, BSD-3-Clause"
version = release = sklearn_ae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "benchmarks/few", "benchmarks/sections", "changes"]
templates_path = ["_templates"]
default_role = "literal"
smartquotes = False
toc_object_entries_show_parents = "hide"

# Markdown: headings are anchors, as on other sites that show the same files.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Docstrings. What a class inherits from the package is on its page; numpydoc is validated by tests.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
    "skorch": ("https://skorch.readthedocs.io/en/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
}
intersphinx_timeout = 5

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(plot_|quickstart)",
    "ignore_pattern": r"(^|/)(?!plot_|quickstart)[^/]*\.py$",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("sklearn_ae",),
    "backreferences_dir": "api/backreferences",
    "reference_url": {"sklearn_ae": None},
    "reset_modules": ("matplotlib",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-ae"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "sklearn-ae"},
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "show_toc_level": 2,
}
# Pages that have no neighbors need no list of them.
html_sidebars = {
    page: [] for page in ("index", "getting_started", "coming_from", "extending", "how_it_works")
} | {page: [] for page in ("versions", "changes")}

# What matplotlib says where there is no screen.
warnings.filterwarnings("ignore", message=".*Agg is non-interactive.*", category=UserWarning)


def _not_offline(record):
    """Let a build without a network pass: links to other projects are text then."""
    return not str(record.msg).startswith("failed to reach any of the inventories")


logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(_not_offline)


def _text_instead(app, env, node, contnode):
    """Leave a reference as text that is not ours to resolve, if intersphinx can't.

    Every term is one of scikit-learn's glossary, and docstrings that are inherited refer to the
    pages of the project that they come from.
    """
    _, _, name = (get_node_source(node) or "").partition(":docstring of ")
    inherited = name and not name.startswith("sklearn_ae")
    return contnode if inherited or node.get("reftype") == "term" else None


def setup(app):
    """Connect the function above, behind intersphinx."""
    app.connect("missing-reference", _text_instead, priority=900)
