"""The audit log: whatever is done to it afterwards is found, and who appends at once keeps it whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.errors import StateError
from reconciler.model.event import Event, EventKind, EventSeverity, Origin, event_of_json
from reconciler.model.finding import Subject
from reconciler.state import audit, schema
from reconciler.state.store import open_for_reading, open_for_writing

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
SIZE = 6


def event(number, **changes):
    fields = {
        "kind": EventKind.FOUND,
        "severity": EventSeverity.WARNING,
        "subject": Subject.CONNECTION,
        "subject_id": f"c{number % 3}",
        "summary": f"thing {number} was found",
        "at": AT + timedelta(minutes=number),
        "origin": Origin(by="alice@host", commit="1a2b3c", pass_id=number),
    }
    return Event(**{**fields, **changes})


@pytest.fixture
def log(url):
    """A state whose log has a few records, appended in several steps; open it again after each harm."""
    with open_for_writing(url) as store:
        store.record_events(map(event, range(1, 4)))
        store.record_events(map(event, range(4, SIZE + 1)))
        yield store


def faults_of(store, harm):
    """What is found after ``harm``, which is taken back: one log serves every example."""
    found = []

    def work(db):
        step = db.begin_nested()
        harm(db)
        found.extend(audit.faults(db))
        step.rollback()

    store._db.write(work)
    return found


def edit(seq, **values):
    return lambda db: db.execute(sa.update(schema.audit).where(schema.audit.c.seq == seq).values(**values))


def row(db, seq):
    return db.execute(sa.select(schema.audit).where(schema.audit.c.seq == seq)).one()


def test_a_log_as_it_was_written_is_whole(log, url):
    assert log.audit_faults() == ()
    head = log.audit_head()
    assert (head.seq, log.audit_hash(head.seq)) == (SIZE, head.hash)
    assert str(head) == f"{SIZE}:{head.hash}"
    assert [one.event for one in open_for_reading(url).events()] == [event(n) for n in range(1, SIZE + 1)]


def test_an_empty_log_is_whole(store):
    assert store.audit_faults() == ()
    assert store.audit_head() == audit.Head()
    assert store.audit_hash(0) == audit.GENESIS
    assert store.audit_hash(1) is None


HARM = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SEQ = st.integers(1, SIZE)


@HARM
@given(seq=SEQ, data=st.data())
def test_any_change_of_one_letter_is_found(log, seq, data):
    def harm(db):
        text = row(db, seq).event
        place = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.characters(exclude_characters=text[place] + "\0", exclude_categories=["Cs"]))
        edit(seq, event=text[:place] + letter + text[place + 1 :])(db)

    assert faults_of(log, harm)


@HARM
@given(seq=SEQ, place=st.integers(0, 63), digit=st.sampled_from("0123456789abcdef"))
def test_any_change_of_a_hash_is_found(log, seq, place, digit):
    def harm(db):
        kept = row(db, seq).hash
        changed.append(kept[:place] + digit + kept[place + 1 :] != kept)
        edit(seq, hash=kept[:place] + digit + kept[place + 1 :])(db)

    changed = []
    assert bool(faults_of(log, harm)) == changed[0]


@pytest.mark.parametrize("seq", range(1, SIZE + 1))
def test_any_record_that_is_removed_is_found(log, seq):
    assert faults_of(log, lambda db: db.execute(sa.delete(schema.audit).where(schema.audit.c.seq == seq)))


@pytest.mark.parametrize("kept", range(SIZE))
def test_a_tail_that_is_cut_off_is_found(log, kept):
    found = faults_of(log, lambda db: db.execute(sa.delete(schema.audit).where(schema.audit.c.seq > kept)))
    assert found == [f"the log ends with record {kept}, but {SIZE} was the last one written"]


@pytest.mark.parametrize("kept", range(SIZE))
def test_a_tail_that_is_cut_off_is_found_though_the_head_was_set_back(log, kept):
    """Nothing of the chain shows it: it is whole up to there."""

    def harm(db):
        db.execute(sa.delete(schema.audit).where(schema.audit.c.seq > kept))
        if kept:
            head = db.execute(sa.select(schema.audit).where(schema.audit.c.seq == kept)).one()
            db.execute(sa.update(schema.audit_head).values(seq=head.seq, hash=head.hash))
        else:
            db.execute(sa.delete(schema.audit_head))

    assert faults_of(log, harm) == [
        f"{SIZE} records were counted as they were written, but the log says that it has {kept}"
    ]


@HARM
@given(pair=st.lists(SEQ, min_size=2, max_size=2, unique=True), with_hash=st.booleans())
def test_two_records_that_change_places_are_found(log, pair, with_hash):
    def harm(db):
        first, second = (row(db, seq) for seq in pair)
        for seq, other in ((first.seq, second), (second.seq, first)):
            edit(seq, event=other.event, **({"hash": other.hash} if with_hash else {}))(db)

    assert faults_of(log, harm)


@HARM
@given(seq=st.integers(-2, SIZE + 3), data=st.data())
def test_a_record_that_is_put_in_is_found(log, seq, data):
    def harm(db):
        table = schema.audit
        later = db.execute(sa.select(table).where(table.c.seq >= seq).order_by(table.c.seq.desc())).all()
        for one in later:  # make room, as somebody who forges would
            db.execute(sa.update(table).where(table.c.seq == one.seq).values(seq=one.seq + 1))
        text = json.dumps({"kind": "found", "summary": data.draw(st.text(max_size=5))})
        db.execute(sa.insert(table).values(seq=seq, event=text, hash="0" * 64))

    assert faults_of(log, harm)


@pytest.mark.parametrize("harm", ["seq", "hash", "gone"])
def test_a_head_that_is_moved_is_found(log, harm):
    table = schema.audit_head
    statement = {
        "seq": sa.update(table).values(seq=SIZE - 1),
        "hash": sa.update(table).values(hash="0" * 64),
        "gone": sa.delete(table),
    }[harm]
    assert faults_of(log, lambda db: db.execute(statement))


def test_a_log_that_was_rewritten_as_a_whole_is_found_by_a_head_that_was_kept(log):
    kept = log.audit_head()

    def forge(db):
        for table in (schema.audit, schema.audit_head, schema.tallies):
            db.execute(sa.delete(table))
        audit.append(db, [event(n, summary="nothing happened") for n in range(1, SIZE + 2)])

    log._db.write(forge)
    assert log.audit_faults() == ()
    assert log.audit_hash(kept.seq) != kept.hash


def test_a_record_that_is_no_event_is_refused_where_it_is_read(log):
    log._db.write(edit(2, event='{"kind": "unheard-of"}'))
    with pytest.raises(StateError, match="not ours"):
        log.events()
    assert log.audit_faults() == ("record 2 was changed, moved, or follows another than it did",)


def test_a_long_log_is_judged_and_read_in_pages(store, monkeypatch):
    monkeypatch.setattr(audit, "_PAGE", 7)
    store.record_events(map(event, range(1, 51)))
    assert store.audit_faults() == ()
    found = store.latest_events(lambda one: one.subject_id == "c1", limit=4)
    assert [one.seq for one in found] == [40, 43, 46, 49]
    assert store.latest_events(lambda _: False, limit=4) == ()
    assert [one.seq for one in store.latest_events(lambda _: True, limit=50)] == list(range(1, 51))


APPENDER = """
    import sys
    from datetime import UTC, datetime
    from reconciler.model.event import Event, EventKind, EventSeverity
    from reconciler.model.finding import Subject
    from reconciler.state.store import open_for_writing

    url, name = sys.argv[1:]
    with open_for_writing(url) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(25):
            one = Event(
                kind=EventKind.UNLOCKED, severity=EventSeverity.INFO, subject=Subject.POLICY,
                subject_id=name, summary=str(number), at=datetime.now(UTC),
            )
            store.record_events([one, one] if number % 2 else [one])
"""


def test_many_who_append_at_once_keep_one_chain(url, store, spawn):
    appenders = [spawn(APPENDER, url, f"p{number}") for number in range(4)]
    for one in appenders:
        assert one.stdout.readline() == "ready\n"
    for one in appenders:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in appenders:
        assert one.wait() == 0, one.stderr.read()
    told = store.events()
    assert [one.seq for one in told] == list(range(1, 4 * 37 + 1))
    assert store.audit_faults() == ()
    for name in ("p0", "p1", "p2", "p3"):  # each in its own order, none lost, none twice
        said = [int(one.event.summary) for one in told if one.event.subject_id == name]
        assert said == [number for number in range(25) for _ in range(1 + number % 2)]


@pytest.mark.parametrize("broken", [{}, {"kind": "found"}, {"kind": "?", "severity": "info"}])
def test_what_is_no_event_is_refused(broken):
    with pytest.raises(ValueError, match=r"event|not a valid"):
        event_of_json(broken)
