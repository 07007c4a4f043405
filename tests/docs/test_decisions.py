"""Decision records: never rewritten, so that each has to say at its top which later one changed it."""

import re

from tests.docs.examples import ROOT

RECORDS = {path.name[:4]: path.read_text("utf-8") for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))}
LATER = re.compile(r"(?:supersedes|adds to)[^[]*\[(\d{4})\]")


def test_records_are_numbered_in_order() -> None:
    """Two records of one number would be two decisions that cannot be told apart."""
    assert list(RECORDS) == [f"{n:04}" for n in range(1, len(RECORDS) + 1)]
    assert all(text.startswith(f"# {number} · ") for number, text in RECORDS.items())


def test_a_record_that_a_later_one_changes_says_so() -> None:
    """Whoever reads only the earlier one must not take for true what is not any more."""
    changed = {(number, earlier) for number, text in RECORDS.items() for earlier in LATER.findall(_status(text))}
    assert changed >= {("0029", "0027"), ("0037", "0011"), ("0039", "0019")}
    silent = [pair for pair in changed if f"[{pair[0]}](" not in _status(RECORDS[pair[1]])]
    assert not silent


def _status(text: str) -> str:
    return text.split("\n\n")[1].replace("\n", " ")
