"""Pages that are made from the code while the documentation is built: none of them is committed, none can be stale.

A page says where its generated part goes by a line ``<!-- generated: NAME -->``.
"""

import re
from collections.abc import Callable
from importlib import import_module

PARTS = {
    "api": "docs.generate.api:reference",
    "commands": "docs.generate.commands:reference",
    "classes": "docs.generate.failures:classes",
    "classifier": "docs.generate.failures:classifier",
    "errors": "docs.generate.errors:tree",
    "events": "docs.generate.events:catalogue",
    "exit-codes": "docs.generate.errors:exit_codes",
    "faults": "docs.generate.faults:kinds",
    "flow-file": "docs.generate.flow_file:keys",
    "json": "docs.generate.json_output:schemas",
    "not-allowed": "docs.generate.refusals:not_allowed",
    "redaction": "docs.generate.failures:redaction",
    "redrive-policy": "docs.generate.policies:redrive",
    "refusals": "docs.generate.refusals:reference",
    "retry-policy": "docs.generate.policies:retry",
    "settings": "docs.generate.settings:table_of_settings",
    "views": "docs.generate.views:tables",
    "what-if-policy": "docs.generate.what_if_policy:keys",
}
MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)


def part(name: str) -> str:
    """The Markdown of one generated part."""
    module, _, function = PARTS[name].partition(":")
    make: Callable[[], str] = getattr(import_module(module), function)
    return make()


def filled(text: str) -> str:
    """A page with its generated parts in place."""
    return MARK.sub(lambda found: part(found[1]), text)
