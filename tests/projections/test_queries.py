"""Filters come before limits, pages fit together, and nobody sees what is another tenant's."""

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.flow import Flow, Node
from redrive.processes import operations
from redrive.projections.lifecycle import match
from redrive.projections.models import QueueEntry
from redrive.projections.paging import Selection, decode_cursor
from redrive.projections.queries import Queries
from redrive.projections.view import View
from tests.projections.plant import ACME, FAILURES, GLOBEX, Plant, default_policy_of, policy


@pytest.fixture
def queries(view: View) -> Queries:
    """What acme may ask."""
    return Queries(view, ACME)


def test_filters_come_before_limits(plant: Plant, queries: Queries) -> None:
    """The one that matches is found, however many newer ones do not."""
    wanted = plant.dead_letter("the needle", automation="rare")
    for _ in range(5):
        plant.dead_letter("hay")
    for found in (
        queries.dead_letters(automation="rare", limit=1),
        queries.dead_letters(text="needle", limit=1),
        queries.dead_letters(run=plant.letter(wanted).run, limit=1),
        queries.dead_letters(fingerprint=plant.letter(wanted).fingerprint, limit=1),
    ):
        assert [dl.id for dl in found.items] == [wanted]
        assert found.cursor is None
    assert [run.automation for run in queries.runs(text="rare", limit=1).items] == ["rare"]


def test_the_newest_come_first(plant: Plant, queries: Queries) -> None:
    """Runs and dead letters, by when they began; time filters take the first moment and leave the last."""
    letters = []
    for _ in range(4):
        plant.now += 10
        letters.append(plant.dead_letter())
    assert [dl.id for dl in queries.dead_letters().items] == letters[::-1]
    assert [dl.id for dl in queries.dead_letters(since_ms=1_020, until_ms=1_040).items] == letters[2:0:-1]
    assert [run.submitted_at_ms for run in queries.runs(since_ms=1_030).items] == [1_040, 1_030]


def test_pages_stay_together_while_rows_arrive(plant: Plant, queries: Queries) -> None:
    """What is submitted between two pages neither repeats nor hides a row."""
    first = [plant.submit(Flow([Node("a")])) for _ in range(7)]
    seen, cursor = [], None
    while True:
        page = queries.runs(limit=3, cursor=cursor)
        seen += [run.run_id for run in page.items]
        plant.submit(Flow([Node("a")]))
        if (cursor := page.cursor) is None:
            break
    assert seen == first[::-1]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_of_every_queue_fit_together(plant: Plant, view: View, limit: int) -> None:
    """Piece by piece or at once: the same entries, in the same order."""
    plant.live(150)
    queries = Queries(view, None)
    for name in ("ready", "scheduled", "retry_backoff", "blocked", "failed", "needs_review"):
        whole = queries.queue(name, now_ms=plant.now).items
        pieces: list[QueueEntry] = []
        cursor = None
        while page := queries.queue(name, now_ms=plant.now, limit=limit, cursor=cursor):
            pieces += page.items
            if (cursor := page.cursor) is None:
                break
        assert tuple(pieces) == whole


@pytest.mark.parametrize("automation", [None, "nightly"])
def test_each_queue_is_as_long_as_its_list(plant: Plant, view: View, automation: str | None) -> None:
    """Of every tenant or of one, of every automation or of one."""
    plant.live(150)
    plant.submit(Flow([Node("a")]), "rare")
    total = {}
    for tenant in (None, ACME, GLOBEX):
        queries = Queries(view, tenant)
        counts = queries.queue_counts(now_ms=plant.now, automation=automation)
        lists = {name: queries.queue(name, now_ms=plant.now, automation=automation, limit=1_000) for name in counts}
        assert counts == {name: len(page.items) for name, page in lists.items()}
        total[tenant] = sum(counts.values())
    assert total[None] == total[ACME] + total[GLOBEX] > total[ACME] > 1


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "W10", "eyJhIjoxfQ", "\ud800", "WyJmIiwxXQ=="])
def test_a_cursor_of_nobody_is_refused(queries: Queries, cursor: str) -> None:
    """Whatever it is made of."""
    with pytest.raises(InvalidValue, match="cursor"):
        queries.runs(cursor=cursor)


def test_a_cursor_of_another_question_is_refused(plant: Plant, view: View, queries: Queries) -> None:
    """Of another filter, another list, another tenant; another limit is the same question."""
    for tenant in (ACME, ACME, GLOBEX, GLOBEX):
        plant.dead_letter(tenant=tenant)
    cursor = queries.runs(status="failed", limit=1).cursor
    assert queries.runs(status=" FAILED ", limit=2, cursor=cursor).items
    for ask in (queries.runs, queries.dead_letters, queries.groups, Queries(view, GLOBEX).runs):
        with pytest.raises(InvalidValue, match="cursor"):
            ask(cursor=cursor)
    with pytest.raises(InvalidValue, match="cursor"):
        Queries(view, GLOBEX).runs(status="failed", cursor=cursor)


@given(st.text())
def test_no_cursor_breaks_anything(text: str) -> None:
    """A key of the right shape, or InvalidValue."""
    with pytest.raises(InvalidValue):
        decode_cursor(Selection("log", "runs"), text, (int,))


@pytest.mark.parametrize("limit", [0, -1, 1_001, True, 2.0, "5"])
def test_limits_have_limits(queries: Queries, limit: int) -> None:
    """From 1 to 1,000."""
    with pytest.raises(InvalidValue, match="limit"):
        queries.runs(limit=limit)


def test_words_are_forgiven_their_spelling(plant: Plant, queries: Queries) -> None:
    """Trimmed, lower-cased, hyphens as underscores; anything else is refused with what is known."""
    letter = plant.dead_letter()
    plant.do(operations.requesting_retry(letter, default_policy_of, None), reason="again")
    assert queries.dead_letters(status=" Retry-Requested ").items
    assert queries.queue("Needs-Review", now_ms=0).items == ()
    with pytest.raises(InvalidValue, match="retry_requested"):
        queries.dead_letters(status="retried")
    with pytest.raises(InvalidValue, match="cancelled"):
        queries.runs(status=["failed", "waiting"])
    with pytest.raises(InvalidValue, match="retry_backoff"):
        queries.queue("backoff", now_ms=0)


def test_another_tenants_records_look_like_none(plant: Plant, view: View, queries: Queries) -> None:
    """In lists, by id, in counts and in searches."""
    letter = plant.dead_letter("their secret", tenant=GLOBEX)
    run = plant.letter(letter).run
    for ask in (queries.run, queries.dead_letter):
        with pytest.raises(NotFound):
            ask({queries.run: run, queries.dead_letter: letter}[ask])
    lists = (queries.runs(), queries.dead_letters(), queries.groups(), queries.queue("failed", now_ms=0))
    assert [found.items for found in (*lists, queries.search("secret"))] == [()] * 5
    assert not queries.counts().runs
    assert Queries(view, GLOBEX).run(run).open_letters == 1
    assert Queries(view, None).search("secret").items


def test_active_only_hides_what_is_settled(plant: Plant, queries: Queries) -> None:
    """An ignored one goes; an open one stays."""
    ignored, kept = plant.dead_letter(), plant.dead_letter()
    plant.do(operations.ignoring(ignored, None), reason="harmless")
    assert [dl.id for dl in queries.dead_letters(active_only=True).items] == [kept]
    summary = queries.dead_letter(ignored)
    assert (summary.disposition, summary.decided_by, summary.decided_reason) == ("ignore", "human:ana", "harmless")


def test_groups_gather_failures_that_are_alike(plant: Plant, queries: Queries) -> None:
    """Numbers do not tell them apart; each group says how many, since when, from where."""
    for n in range(3):
        plant.now += 10
        plant.dead_letter(f"timeout after {n} s", automation=f"a{n % 2}")
    ignored = plant.dead_letter("disk full")
    plant.do(operations.ignoring(ignored, None), reason="harmless")
    disk, timeout = queries.groups().items
    assert (disk.count, disk.unsettled, disk.automations) == (1, 0, ("nightly",))
    assert (timeout.count, timeout.unsettled, timeout.automations) == (3, 3, ("a0", "a1"))
    assert (timeout.first_seen_ms, timeout.last_seen_ms, timeout.reason) == (1_010, 1_030, "timeout after 2 s")
    first = queries.groups(limit=1)
    assert (*first.items, *queries.groups(limit=1, cursor=first.cursor).items) == (disk, timeout)
    assert queries.groups(active_only=True).items == (timeout,)


def test_queues_say_who_waits_and_how_long(plant: Plant, queries: Queries) -> None:
    """A backoff is scheduled until it is due, then ready; the time that remains is never negative."""
    run = plant.submit(Flow([Node("a", retry=policy(2, delay_ms=500))]))
    assert [entry.run_id for entry in queries.queue("ready", now_ms=1_000).items] == [run]
    attempt = plant.claim()[0]
    assert [entry.worker for entry in queries.queue("running", now_ms=1_000).items] == ["w"]
    plant.fail(attempt, FAILURES[1])
    (waiting,) = queries.queue("retry_backoff", now_ms=1_100).items
    assert (waiting.node, waiting.due_ms, waiting.remaining_ms, waiting.next_number) == ("a", 1_500, 400, 2)
    assert queries.queue("scheduled", now_ms=1_100).items[0].reason == "retry_backoff"
    assert [entry.remaining_ms for entry in queries.queue("ready", now_ms=9_999).items] == [0]
    assert [entry.remaining_ms for entry in queries.queue("retry_backoff", now_ms=9_999).items] == [0]


def test_what_nobody_will_move_needs_review(plant: Plant, queries: Queries) -> None:
    """A failed run whose dead letter was settled; an unsettled dead letter of a cancelled run."""
    settled, cancelled, normal = plant.dead_letter(), plant.dead_letter(), plant.dead_letter()
    plant.do(operations.ignoring(settled, None), reason="harmless")
    plant.do(operations.cancelling(plant.letter(cancelled).run, default_policy_of), reason="enough")
    found = {entry.run_id for entry in queries.queue("needs_review", now_ms=0).items}
    assert found == {plant.letter(settled).run, plant.letter(cancelled).run}
    assert found == {run.run_id for run in queries.runs(needs_review=True).items}
    review = [queries.dead_letter(dl).needs_review for dl in (settled, cancelled, normal)]
    assert review == [False, True, False]


def test_a_search_finds_who_said_it(plant: Plant, queries: Queries) -> None:
    """Keys, failures, reasons and notes, by the beginnings of words, newest first."""
    run = plant.submit(Flow([Node("fetch", retry=policy(1))]), key="2026-11-22")
    plant.fail(plant.claim()[0], FAILURES[1])
    plant.do(operations.noting_run(run, "the proxy was restarted"), reason="for the record")

    def topics(text: str) -> list[str]:
        return [event.topic for event in plant.ledger.at_positions(queries.search(text).items)][::-1]

    assert topics("2026-11") == ["run.submitted"]
    assert topics("fetch TIMEOUT answ") == ["dead-letter.opened", "run.attempt-failed"]
    assert topics("proxy record") == ["run.note-added"]
    assert topics("proxy timeout") == []
    assert queries.search("timeout", run="another").items == ()


HOSTILE = st.sampled_from(
    ['"', "*", "(", ")", "NEAR", "AND", "OR", "NOT", "^", ":", "-", "{a}", "\x00", "ß", "漢", "٣"]
)


@given(st.text(max_size=200) | st.lists(HOSTILE).map(" ".join) | st.lists(HOSTILE).map("".join))
def test_no_search_text_is_syntax(text: str) -> None:
    """Found, or not found, or refused as blank; never an error of the database."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db, contextlib.suppress(InvalidValue):
        db.execute("CREATE VIRTUAL TABLE t USING fts5(body, tokenize='unicode61 remove_diacritics 2')")
        db.execute("INSERT INTO t VALUES (?)", (text,))
        db.execute("SELECT rowid FROM t WHERE t MATCH ?", (match(text),)).fetchall()


def test_hostile_texts_are_stored_and_found(plant: Plant, queries: Queries) -> None:
    """NUL, quotes, right-to-left marks: a note with them is found by its words."""
    run = plant.submit(Flow([Node("a")]), automation='x" OR "1', key="k\x00\u202e")
    plant.do(operations.noting_run(run, 'NEAR(\x00 "a* b'), reason="\u202e*")
    assert len(queries.search('NEAR(\x00 "a* b').items) == 1
    assert queries.run(run).key == "k\x00\u202e"
    assert queries.runs(automation='x" OR "1', text='"1').items[0].run_id == run
