"""The first violation, and every flip, against asking again after every single event."""

from typing import Any

import pytest

import redrive
from redrive.domain.dead_letter.events import DeadLetterOpened
from redrive.domain.event import UnknownEvent
from redrive.forensics.invariants.aggregates import aggregated
from redrive.forensics.invariants.first import InvariantReport
from redrive.forensics.invariants.invariant import by_row
from redrive.forensics.invariants.named import NAMED
from redrive.forensics.invariants.touching import topics_of
from tests.forensics.answers import single_steps

ROWS = (
    *(invariant.sql for invariant in NAMED.values()),
    "SELECT * FROM runs WHERE status = 'running'",
    "SELECT run_id FROM runs AS r WHERE r.attempts > 2 AND coalesce(r.due_ms, 0) >= 0",
    "select run_id, lower(status) from runs where \"status\" in ('failed', 'blocked')  -- a comment\n",
    "SELECT id FROM dead_letters WHERE settled <> 1 AND held IS NULL OR reason LIKE '%no answer%'",
    "SELECT id FROM dead_letters d WHERE d.status = 'open'",
    "SELECT id FROM effects WHERE status = 'intended'",
    "SELECT id FROM compensations WHERE NOT status = 'proposed'",
    "SELECT run_id FROM runs WHERE updated % 7 = 3",
    "SELECT run_id FROM runs WHERE length(succeeded_bits) > 0",
    "SELECT run_id FROM runs WHERE last_failure_reason < '5' OR generation > '1'",
    "SELECT 1 FROM runs",
)
AGGREGATED = (
    "(SELECT count(*) FROM runs WHERE status = 'running') <= 1",
    "(SELECT max(dispatches) FROM dead_letters) <= 0",
    "(select Max(d.dispatches) from dead_letters AS d where d.settled = 0) < 1 -- a comment",
    "(SELECT sum(open_letters) FROM runs) = (SELECT count(*) FROM dead_letters WHERE NOT settled)",
    "(SELECT min(attempts) FROM runs r) > 0 OR (SELECT count(*) FROM runs) % 3 = 0",
    "coalesce((SELECT max(updated) FROM runs), 0) % 4 <> 1 AND (SELECT count(key) FROM effects) < 3",
    "((SELECT min(updated - created) FROM runs WHERE status <> 'queued')) IS NULL",
    "(SELECT sum(due_ms) FROM runs) % 2",
    "(SELECT count(*) FROM compensations WHERE status = 'proposed') = 0",
    "(SELECT max(attempts * 1.5) FROM runs) < 2",
    "(SELECT min(last_failure_reason) FROM runs) IS NULL",
    "(SELECT sum(CASE WHEN attempts > 2 THEN 0.5 ELSE 1 END) FROM runs) < 4",
)
QUERIES = (
    *AGGREGATED,
    "SELECT status, count(*) FROM runs GROUP BY status HAVING count(*) > 2",
    "SELECT 1 FROM runs r LEFT JOIN dead_letters d ON d.run_id = r.run_id WHERE d.id IS NULL AND r.status = 'blocked'",
    "SELECT count(*) FROM runs HAVING count(*) % 2",
    "(SELECT count(*) FROM backoffs) = 0",
    "NOT EXISTS (SELECT 1 FROM approvals)",
    "(SELECT sum(n) FROM counts WHERE kind = 'total' AND name = 'retries') % 3 <> 1",
    "SELECT * FROM mentions WHERE subject = '' LIMIT 1 OFFSET 4",
    "SELECT max(dispatches) AS most FROM dead_letters WHERE status = 'retrying' GROUP BY run_id",
    "WITH busy AS (SELECT * FROM runs WHERE worker IS NOT NULL) SELECT 1 FROM busy a, busy b WHERE a.key < b.key",
    "0",
    "NULL",
    "'1'",
)


VERDICTS: dict[str, dict[str, list[bool]]] = {}


def verdicts(engine: redrive.Engine) -> dict[str, list[bool]]:
    """Whether each is violated at every position, by asking SQLite after each event; once for each log."""
    if engine.ledger.id not in VERDICTS:
        asked = {sql: f"SELECT EXISTS ({_violations(sql)}\n)" for sql in (*ROWS, *QUERIES)}
        found: dict[str, list[bool]] = {sql: [] for sql in asked}
        for view in single_steps(engine):
            for sql, query in asked.items():
                found[sql].append(bool(view.rows(query)[0][0]))
        VERDICTS[engine.ledger.id] = found
    return VERDICTS[engine.ledger.id]


def _violations(sql: str) -> str:
    return sql.strip() if sql.lower().startswith(("select", "with")) else f"SELECT 1 WHERE NOT ({sql}\n)"


def naive(engine: redrive.Engine, sql: str, start: int = 0) -> list[tuple[int, bool]]:
    """Where it flips."""
    found, violated = list[tuple[int, bool]](), False
    for position, now in enumerate(verdicts(engine)[sql][start:], start):
        if now != violated:
            found.append((position, now))
            violated = now
    return found


def flips(report: InvariantReport) -> list[tuple[int, bool]]:
    """Where it flips, by the report."""
    return [(flip.position, flip.violated) for flip in report.flips]


@pytest.mark.parametrize("sql", ROWS)
def test_a_row_invariant_is_exact(engine: redrive.Engine, sql: str) -> None:
    """Told row by row, as if it had been asked after every event."""
    assert by_row(sql.strip()) is not None, "else it is not told row by row"
    report = engine.first(sql)
    assert report.how == "by_row"
    assert flips(report) == naive(engine, sql)
    assert flips(engine.first(sql, start=40)) == naive(engine, sql, 40)


@pytest.mark.parametrize("sql", AGGREGATED)
@pytest.mark.parametrize("window", [1, 7])
def test_totals_are_exact_however_often_views_are_written(
    engine: redrive.Engine, monkeypatch: pytest.MonkeyPatch, sql: str, window: int
) -> None:
    """What a row gave before is in memory, or in the views as they were written last."""
    monkeypatch.setattr("redrive.forensics.invariants.totals.WRITE_AFTER", window)
    monkeypatch.setattr("redrive.forensics.invariants.totals.MOST_REMEMBERED", 5 * window)
    assert aggregated(sql) is not None, "else it is not told by totals"
    assert flips(engine.first(sql)) == naive(engine, sql)


def test_totals_ask_seldom(engine: redrive.Engine) -> None:
    """What differs is looked at, not the table: only as often as there are different rows and totals."""
    sql = "(SELECT count(*) FROM runs WHERE status = 'running') <= 1"
    assert engine.first(sql).asked < len([now for now in verdicts(engine)[sql] if now in (True, False)]) / 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM runs",
        "(SELECT count(DISTINCT status) FROM runs) < 3",
        "(SELECT count(*) FROM runs GROUP BY status) < 3",
        "(SELECT max(attempts, retries) FROM runs) < 3",
        "(SELECT count(*) FROM runs, dead_letters) < 3",
        "(SELECT count(*) FROM runs WHERE run_id IN (SELECT run_id FROM dead_letters)) < 3",
        "(SELECT count(*) FILTER (WHERE key IS NULL) FROM runs) < 3",
        "(SELECT count(*) FROM backoffs) = 0",
        "(SELECT avg(attempts) FROM runs) < 3",
        "(SELECT count(*) + 1 FROM runs) < 3",
        "(SELECT count(*) FROM runs LIMIT 1) < 3",
        "(SELECT count() FROM runs) < 3",
        "(SELECT attempts FROM runs) < 3",
        "(SELECT count(*) FROM runs) < ?",
        "1 = 1",
    ],
)
def test_what_totals_cannot_tell_is_known(sql: str) -> None:
    """It is asked again instead."""
    assert aggregated(sql) is None


@pytest.mark.parametrize("sql", QUERIES)
def test_any_other_query_is_exact(engine: redrive.Engine, sql: str) -> None:
    """Asked again only where what it reads changed, as if it had been asked after every event."""
    report = engine.first(sql)
    assert report.how == "by_query"
    assert flips(report) == naive(engine, sql)
    assert flips(engine.first(sql, start=40)) == naive(engine, sql, 40)
    assert report.total == len(report.flips)
    assert report.violated_at_end is (bool(report.flips) and report.flips[-1].violated)


@pytest.mark.parametrize("sql", [*ROWS[:3], *QUERIES[:3]])
def test_the_first_violation_names_event_and_rows(engine: redrive.Engine, sql: str) -> None:
    """The event of that position, and some of what violates it there."""
    report = engine.first(sql)
    assert report.first == next((flip for flip in report.flips if flip.violated), None)
    if report.first is not None and report.first.position:
        assert report.first.event is not None
        event = engine.ledger.at_positions([report.first.position])[0]
        assert report.first.event.event_id == event.event_id
        assert bool(report.first.rows) is sql.startswith("SELECT")
    assert report.footing.position == engine.ledger.last_position()


def test_a_predicate_sees_each_event_and_the_views_after_it(engine: redrive.Engine) -> None:
    """And is exact, whether it asks the views or not."""
    topics = [event.topic for event in engine.ledger.read()]
    report = engine.first(lambda event, _look: event.topic != "run.claimed")
    assert report.first is not None
    assert report.first.position == topics.index("run.claimed") + 1
    asked = engine.first(lambda _event, look: not look.rows("SELECT 1 FROM runs WHERE status = 'running'"))
    assert flips(asked) == naive(engine, "SELECT * FROM runs WHERE status = 'running'")


def test_a_predicate_that_asks_seldom_is_answered_in_full(
    engine: redrive.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not folded for want of a question is folded when one comes."""
    monkeypatch.setattr("redrive.forensics.invariants.predicates.MOST_PENDING", 3)
    counted: list[tuple[int, int]] = []

    def holds(event: redrive.Recorded, look: redrive.Look) -> bool:
        if event.position % 10 == 7:
            counted.append((event.position, look.rows("SELECT sum(n) FROM counts WHERE kind = 'event'")[0][0]))
        return True

    assert engine.first(holds).total == 0
    assert counted
    assert all(position == events for position, events in counted)


def test_settled_is_judged_where_commands_end(engine: redrive.Engine) -> None:
    """Amid the events that one command appended nothing is said: nobody can have seen the views there."""
    ids = [event.event_id[:-4] for event in engine.ledger.read()]
    ends = [0, *(n for n, id_ in enumerate(ids, 1) if n == len(ids) or ids[n] != id_)]
    for sql in (*ROWS[:6], *QUERIES[:4]):
        report, told = engine.first(sql, settled=True), list[bool]()
        for violated in (verdicts(engine)[sql][end] for end in ends):
            if violated != (told[-1] if told else False):
                told.append(violated)
        assert [flip.violated for flip in report.flips] == told
        assert report.settled


def test_asked_every_so_often_it_says_so(engine: redrive.Engine) -> None:
    """Approximate on request: only where it was asked."""
    sql = "SELECT * FROM runs WHERE status = 'running'"
    report = engine.first(sql, every=10)
    assert (report.exact, report.every) == (False, 10)
    exact, last = naive(engine, sql), engine.ledger.last_position()
    asked = [*range(10, last + 1, 10), last]
    seen = [(at, bool([v for p, v in exact if p <= at][-1:] == [True])) for at in asked]
    assert flips(report) == [now for before, now in zip([(0, False), *seen], seen, strict=False) if before[1] != now[1]]


BAD = (
    *("", "  ;", "DELETE FROM runs", "SELECT 1; DROP TABLE runs", "1) ; DELETE FROM runs; --", "SELECT * FROM nothing"),
    *("PRAGMA user_version", "ATTACH 'x.db' AS x", "SELECT load_extension('x')", "SELECT * FROM sqlite_master"),
    *("SELECT * FROM view", "SELECT random() > 0", "SELECT readfile('/etc/passwd')", "WITH x AS (SELECT 1)", "? = 1"),
    *("SELECT * FROM pragma_table_info('runs')", "date('now') > '2020'", "runs", "SELECT \x00", 7, None, "x" * 20_001),
    *("WITH d AS (SELECT 1) DELETE FROM runs", "SELECT printf('%.*c', 100000000, 'x')"),
)


@pytest.mark.parametrize("sql", BAD, ids=lambda sql: repr(sql)[:30])
def test_what_is_no_invariant_is_refused(engine: redrive.Engine, sql: Any) -> None:
    """It may read the views, and nothing else; the sentence says what is accepted."""
    with pytest.raises(redrive.InvalidValue, match=r"^invariant: "):
        engine.first(sql)


def test_an_endless_query_is_ended(engine: redrive.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr("redrive.forensics.invariants.invariant.MOST_SECONDS", 0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(redrive.InvalidValue, match="answers within"):
        engine.first(endless)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(attempts) FROM runs WHERE attempts > 99",
        "SELECT 1 FROM runs, dead_letters",
        "SELECT 1 FROM runs r JOIN runs s USING (run_id) WHERE s.key IS NULL",
        "SELECT 1 FROM runs WHERE run_id IN (SELECT run_id FROM dead_letters)",
        "SELECT 1 FROM runs LIMIT 1 OFFSET 3",
        "SELECT 1 FROM runs UNION SELECT 2",
        "SELECT count(*) FROM runs",
        "SELECT 1 FROM backoffs WHERE number > 3",
        "SELECT 1 FROM main.runs",
    ],
)
def test_what_is_more_than_rows_is_known(sql: str) -> None:
    """It is never taken for a row invariant."""
    assert by_row(sql) is None


def stored(topic: str) -> tuple[Any, ...]:
    """A row of the log with this topic and version."""
    return (1, "stream", 1, topic, b"{}", "acme/billing/prod", "run", 0)


def test_what_is_not_decoded_cannot_touch_the_table() -> None:
    """Damaged or of another version: whatever has the kind of stream is read, and whatever is unknown."""
    wanted = topics_of([DeadLetterOpened, UnknownEvent])
    for topic in ("dead-letter.opened/1", "dead-letter.noted/1", "dead-letter.opened/99", "run.claimed/99", "x/1", "y"):
        assert wanted(stored(topic)), topic
    for topic in ("run.claimed/1", "run.claimed/2", "flow.registered/1", "effect.intended/1"):
        assert not wanted(stored(topic)), topic


def test_a_name_that_is_none_is_told_those_that_are(engine: redrive.Engine) -> None:
    """It is no SQL either: there is nothing that it could be subtracted from."""
    with pytest.raises(redrive.InvalidValue, match="or one of no-stuck-run, "):
        engine.first("no-stuck-runs")
    assert engine.first("no-stuck-run").name == "no-stuck-run"
