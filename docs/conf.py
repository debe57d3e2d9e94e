"""How Sphinx makes the site of these pages; docs/README.md says the command."""

import importlib
import re
import shutil
import sys
from pathlib import Path

import skmlp

DOCS = Path(__file__).parent
# what orders examples and writes inventories, and what builds the playground
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS / "playground")]
inventories = importlib.import_module("inventories")
build_playground = importlib.import_module("build_playground")
# the gallery looks up what an example imports, even where it does not run the example
importlib.import_module("sklearn.experimental.enable_halving_search_cv")
REPOSITORY = "https://github.com/skmlp/skmlp"
SITE = "https://skmlp.github.io/skmlp/"

project = "skmlp"
author = "the skmlp developers"
project_copyright = author
version = release = skmlp.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
]
templates_path = ["_templates"]
# README.md is what GitHub shows; the scripts of the course become pages in course/
exclude_patterns = ["README.md", "learn", "_build"]

# pages

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4  # links to headings as on GitHub
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# formulas, by a MathJax that comes from PyPI and is copied beside the pages

MATHJAX = Path(importlib.import_module("sphinx-mathjax-offline").__file__).parent
mathjax_path = "mathjax/tex-chtml.js"

# the reference

autosummary_generate = True
default_role = "literal"  # names in docstrings stand in single backticks
autodoc_typehints = "none"  # the docstrings have them, in words
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
intersphinx_mapping = inventories.write(DOCS / "inventories.toml", DOCS / "_build")
intersphinx_disabled_reftypes = ["*"]  # none but those that name their role

# examples

GALLERIES = {DOCS.parent / "examples": "gallery", DOCS / "learn": "course"}
GALLERIES = {
    source: made for source, made in GALLERIES.items() if any(source.glob("*.py"))
}
sphinx_gallery_conf = {
    "examples_dirs": list(map(str, GALLERIES)),
    "gallery_dirs": list(GALLERIES.values()),
    "filename_pattern": r"/(plot_|quickstart)",
    "ignore_pattern": r"^_",
    "within_subsection_order": "order.AsRead",
    "doc_module": ("skmlp",),
    "reference_url": {"skmlp": None},
    "backreferences_dir": "api/examples",
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": float("inf"),
    "write_computation_times": False,
}

# looks

html_theme = "pydata_sphinx_theme"
html_title = html_short_title = "skmlp"
html_baseurl = SITE
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {
        "text": "skmlp",
        "image_light": "_static/icon.svg",
        "image_dark": "_static/icon.svg",
        "alt_text": "skmlp, to the front page",
    },
    "header_links_before_dropdown": 5,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "icon_links": [
        {"name": "GitHub", "url": REPOSITORY, "icon": "fa-brands fa-github"}
    ],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# pages with nothing below them need no list of what is below
html_sidebars = {
    name: []
    for name in ["index", *(p.stem for p in DOCS.glob("*.md") if p.stem != "api")]
}

# cards that social networks show, drawn by matplotlib

ogp_site_url = SITE
ogp_social_cards = {"line_color": "#0072b2", "font": "DejaVu Sans"}


def link_examples(app, docname, source):
    """Let links to scripts lead to their page in the gallery or the course."""
    for folder, made in [("../examples", "gallery"), ("learn", "course")]:
        script = rf"\]\({re.escape(folder)}/(\w+)\.py\)"
        source[0] = re.sub(script, rf"]({made}/\1.rst)", source[0])


def skip_foreign(app, what, name, obj, skip, options):
    """Leave out what classes inherit from other libraries."""
    module = getattr(obj, "__module__", None) or "skmlp"
    return True if not module.startswith("skmlp") else None


def copy_files(app, exception):
    """Copy what formulas need and what examples import; build the playground."""
    if exception is None and app.builder.format == "html":
        shutil.copy(DOCS.parent / "examples" / "_output.py", app.outdir / "gallery")
        source = MATHJAX / "static" / "mathjax"
        target = app.outdir / "_static" / "mathjax"
        fonts = "output/chtml/fonts/woff-v2"
        shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)
        shutil.copy(source / "tex-chtml.js", target)
        build_playground.build(app.outdir / "playground")


def name_roles(app, pagename, templatename, context, doctree):
    """Give references a role that may stand in the list that docutils puts around."""
    if "body" in context:
        context["body"] = context["body"].replace("doc-biblioentry", "listitem")


def setup(app):
    """Called by Sphinx."""
    app.connect("html-page-context", name_roles)
    app.connect("source-read", link_examples)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("build-finished", copy_files)
