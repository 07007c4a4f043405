"""Failure classes, the classifier's table, and the table of redaction."""

import re

from docs.generate.markdown import code, table
from redrive.domain import redaction as rules
from redrive.domain.classifier import DEFAULT_RULES
from redrive.domain.retry_policy import NEVER_BY_WILDCARD, RETRYABLE_BY_DEFAULT


def classes() -> str:
    """The classes that a policy without a list retries, and those that only a list by name does."""
    by_default = ", ".join(code(name) for name in sorted(RETRYABLE_BY_DEFAULT))
    never = ", ".join(code(name) for name in sorted(NEVER_BY_WILDCARD))
    return f"Retryable by default: {by_default}.\n\nNot accepted by an empty list or `*`, only by name: {never}.\n"


def classifier() -> str:
    """The default rules, in the order in which they are tried."""
    rows = []
    for number, rule in enumerate(DEFAULT_RULES, 1):
        names = ", ".join(code(name) for name in rule.exceptions)
        statuses = ", ".join(map(str, rule.exit_statuses))
        text = "" if rule.pattern is None else "a pattern, see `redrive.domain.classifier`"
        rows.append((number, code(rule.failure_class), code(rule.kind), names, statuses, text))
    rows.append((len(rows) + 1, code("execution_error"), "the exception or exit status", "everything else", "", ""))
    return table(("", "class", "kind", "exceptions", "exit statuses", "text"), rows)


def redaction() -> str:
    """The examples of the module, which its tests hold it to."""
    found = re.findall(r"^\| (`.*`) \| (`.*`) \|$", rules.__doc__ or "", re.MULTILINE)
    assert len(found) > 10
    return table(("text", "shown and stored"), found)
