"""Sphinx settings: MyST pages in the four Diátaxis kinds, the Furo theme, reference pages made from the code."""

import logging
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.generate import MARK, filled  # noqa: E402
from docs.generate.signatures import readable  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "redrive"
author = "the redrive authors"
copyright = author
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "generate"]
# A section may wait for its first page. The warning has a subtype but no type, so suppress_warnings cannot name it.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: getattr(record, "subtype", None) != "empty_glob"
)

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
autodoc_preserve_defaults = True

smartquotes = False  # options begin with two hyphens
html_theme = "furo"
html_title = f"redrive {release}"
html_static_path = ["_static"]
html_css_files = ["redrive.css"]
html_extra_path = ["reference/flow-file.schema.json"]


def _fill(_app: "Sphinx", _docname: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def _made_from_code(_app: "Sphinx", env: "BuildEnvironment", *_names: set[str]) -> list[str]:
    """The pages with a generated part: the code may have changed where the page did not."""
    pages = ((name, Path(env.doc2path(name))) for name in env.found_docs)
    return [name for name, path in pages if MARK.search(path.read_text(encoding="utf-8"))]


def _readable(*told: object) -> tuple[str | None, str | None]:
    signature, returned = (None if text is None else readable(str(text)) for text in told[-2:])
    return signature, returned


def setup(app: "Sphinx") -> None:
    """Fill in the generated parts as the pages are read."""
    app.connect("autodoc-process-signature", _readable)
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", _made_from_code)
