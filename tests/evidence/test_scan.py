"""What the scan tells beside tampering: clocks, archived states, foreign rows, columns."""

import json
from collections.abc import Sequence
from hashlib import sha256

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

import redrive
from redrive.evidence.columns import differing_column, doubtful
from redrive.evidence.keys import KeyFile
from redrive.evidence.leaves import leaf_of_row
from redrive.evidence.notes import Checkpoint, Note, Signature
from redrive.evidence.outside import Claim
from redrive.evidence.scan import Scan
from redrive.evidence.sqlite_store import SqliteEvidence
from redrive.evidence.store import Archived, StoredRow
from redrive.evidence.trust import Trust
from redrive.ledger.mapper import event_id_of
from tests.evidence.outworld import Witness, serving
from tests.evidence.sealed import FLOW, NOW_MS, Sealed

TENANT, RUN = "acme/billing/prod", "run-1"


def envelope(**more: object) -> bytes:
    """A state as the ledger writes it."""
    said = {"id": "e", "at": 1, "tenant": TENANT, "actor": ["human", "ana", None], "reason": None, "correlation": RUN}
    return json.dumps({**said, "cause": None, "engine": "x", "data": {}, **more}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("state", "tenant", "correlation", "expected"),
    [
        (envelope(), TENANT, RUN, None),
        (envelope(), "acme/billing/test", RUN, "tenant"),
        (envelope(), TENANT, "run-2", "correlation"),
        (envelope(), TENANT[:-1], RUN, "tenant"),
        (envelope(reason=',"correlation":"run-2",'), TENANT, RUN, None),
        (envelope(reason=',"correlation":"run-2",'), TENANT, "run-2", "correlation"),
        (envelope(data={"x": 1, "tenant": "evil", "correlation": "run-2"}), TENANT, "run-2", "correlation"),
        (envelope(data={"x": 1, "tenant": "evil", "correlation": "run-2"}), "evil", RUN, "tenant"),
        (b'{"data":{"x":1,"tenant":"evil","correlation":"c"},"tenant":"t","correlation":"c"}', "evil", "c", "tenant"),
        (b'{"x":{"x":1,"tenant":"evil"},"tenant":"t","correlation":"c","data":1}', "evil", "c", "tenant"),
        (envelope(), b"acme/billing/prod", RUN, "tenant"),
        (json.dumps(json.loads(envelope()), indent=1).encode(), TENANT, RUN, None),
        (envelope(correlation="é\u2028"), TENANT, "é\u2028", None),
    ],
)  # fmt: skip
def test_columns_against_the_envelope(state: bytes, tenant: object, correlation: object, expected: str | None) -> None:
    """What stands in the data, or in a reason, is never taken for the envelope."""
    assert differing_column(state, tenant, correlation) == expected
    row: StoredRow = (1, "s", 1, "t/1", state, tenant, correlation, 1)
    assert expected is None or doubtful([None, row, row]) == [0, 1, 2]


@given(st.text(), st.text(), st.text(), st.sampled_from([TENANT, RUN, '"', ',"data":', "\\"]))
def test_a_glance_overlooks_nothing(tenant: str, run: str, reason: str, other: str) -> None:
    """Whatever the texts are: equal columns pass, others are looked at."""
    state = pydantic_core.to_json(json.loads(envelope(tenant=tenant, correlation=run, reason=reason, data=[other])))
    assert doubtful([(1, "s", 1, "t/1", state, tenant, run, 1)]) == []
    for columns in ((other, run), (tenant, other), (run, tenant), (tenant.encode(), run)):
        same = differing_column(state, *columns) is None
        assert same == (doubtful([(1, "s", 1, "t/1", state, *columns, 1)]) == [])


@pytest.mark.parametrize("state", [b"", b"[]", b"{}", b"\xff", b'{"tenant": "t"}'])
def test_a_state_without_an_envelope(state: bytes) -> None:
    """It is counted, not judged: a newer version may write another."""
    with pytest.raises(ValueError, match=r"envelope|JSON|expected|EOF|value|utf"):
        differing_column(state, "t", "c")


class ArchivedRows(SqliteEvidence):
    """The rows of a log, whose older states were moved elsewhere."""

    def rows_after(self, position: float, limit: int) -> Sequence[StoredRow]:
        """With what remains of an archived state."""
        return [
            (*row[:4], Archived(len(row[4]), sha256(row[4]).digest()), *row[5:]) if row[0] <= 300 else row
            for row in super().rows_after(position, limit)
        ]

    def archived_state(self, position: int) -> tuple[bytes, object]:
        """From where it was moved to."""
        state: bytes = super().rows_after(position - 1, 1)[0][4]
        return state, event_id_of(state)


def test_archived_states_are_checked_by_their_digests(sealed: Sealed) -> None:
    """Their leaves are the same."""
    with sealed.open() as engine:
        rows, store, last = ArchivedRows(engine.ledger), engine.evidence.store, engine.evidence.store.last()
        assert last is not None
        assert leaf_of_row(rows.rows_after(0, 1)[0]) == leaf_of_row(store.rows_after(0, 1)[0])
        scan = Scan(rows, last, [], Trust(engine.evidence.origin, [], []).look)
        scan.run()
        assert (scan.findings, scan.matched, scan.archived) == ([], last.size, 300)


def test_clocks_that_go_back_are_counted(sealed: Sealed) -> None:
    """Also where nothing is sealed: the first places are named."""
    with sealed.open() as engine:
        for number in range(3):
            engine.local.submit(FLOW, automation="later", key=str(number))
    sealed.sql("UPDATE events SET recorded_at_ms = 5 WHERE position = 481")
    with sealed.open() as engine:
        report = engine.verify(views=False, agenda=False)
    assert (report.result, report.regressions, report.regression_positions) == ("VERIFIED", 1, (481,))


def test_events_that_were_dated_back_are_found_by_a_witness(sealed: Sealed) -> None:
    """Its time bounds what came before, and the anchor that records it."""
    witness = Witness(sealed.keys.read()[0].verifier)
    policy = redrive.VerifyPolicy(witnesses=[str(witness.key)], clock_tolerance_ms=60_000)
    results = []
    for seconds in (5, 600, -600):
        witness.time_s = NOW_MS // 1_000 + seconds
        with serving(witness) as url, sealed.open() as engine:
            anchor = redrive.WitnessAnchor(url, str(witness.key))
            engine.anchor(anchor, actor="ana", reason="x")
            results.append(engine.verify(policy, views=False, agenda=False).result)
    assert results == ["VERIFIED", "TAMPERED", "TAMPERED"]


def test_a_checkpoint_of_another_log_is_told_apart() -> None:
    """A pin that was mixed up vouches for nothing."""
    claim = Claim("pin", "p", Checkpoint("redrive/other", 1, b"r" * 32), trusted=True)
    check = claim.check("redrive/this", 5, {1: b"r" * 32})
    assert check.agrees is False
    assert "another log" in check.detail


def test_trust_is_handed_over_by_the_old_key(sealed: Sealed) -> None:
    """Whoever trusts only the first key goes on to the third."""
    first = str(sealed.keys.read()[0].verifier)
    for number in range(2):
        sealed.keys.rotate(number)
        with sealed.open() as engine:
            engine.local.submit(FLOW, automation="later", key=str(number))
            engine.seal()
    with sealed.open(key=False, pin=False) as engine:
        report = engine.verify(redrive.VerifyPolicy(trust=[first]), views=False, agenda=False)
    assert (report.result, report.unanchored) == ("VERIFIED", 0)


def test_a_line_below_hands_nothing_over(sealed: Sealed) -> None:
    """A second signature beneath a note that the trusted key signed is nobody's."""
    first = str(sealed.keys.read()[0].verifier)
    thief = redrive.VerifyPolicy(trust=[first])
    other = sealed.folder / "thief.json"
    signer = KeyFile(other).init("thief", 0).signer
    assert signer is not None
    with sealed.tampering() as connection:
        size, note = connection.execute("SELECT size, note FROM tree_checkpoints ORDER BY size DESC").fetchone()
        text = note.split("\n\n")[0] + "\n"
        line = str(line_of(signer.sign(text)))
        connection.execute("UPDATE tree_checkpoints SET note = ? WHERE size = ?", (note + line, size))
    with redrive.open(f"sqlite:///{sealed.path}", key_file=str(other)) as engine:
        engine.local.submit(FLOW, automation="later", key="1")
        engine.seal()
        assert engine.verify(thief, views=False, agenda=False).result == "INCOMPLETE"


def line_of(signature: Signature) -> str:
    """A signature line."""
    return str(Note("", (signature,))).removeprefix("\n")
