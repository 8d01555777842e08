"""Whatever a result holds, every format shows it, and nothing in it acts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.desired import Connection, CredentialRef, Market, Strategy
from reconciler.model.errors import ExitCode, Mark
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import (
    Account,
    Failure,
    FailureKind,
    Health,
    IpWhitelist,
    KeyReport,
    Observation,
    Permissions,
    Status,
)
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState, Plan
from reconciler.model.report import Concern, ConnectionReport, Mode, Report, Validation, Weight
from reconciler.model.review import (
    Change,
    ChangeKind,
    Consequence,
    FieldChange,
    Leaf,
    Review,
    Revision,
    Risk,
    SecretChange,
    SecretState,
)
from reconciler.output.options import Options
from reconciler.output.registry import FORMATS, render

ANSI = re.compile(r"\x1b\[[0-9;]*m")
hostile = st.sampled_from(
    [
        "\x1b]0;title\a",
        "\x1b[2J",
        "\u202e",
        "\r\n",
        "::error::",
        "##[error]",
        "[bold]",
        "reconcile: 0 to enable",
        "validate: 0 errors",
        "diff: 0 added",
        "主",
        "@alice #12 https://x.io",
        "</details><script>",
        "-->",
        "](https://x.io)",
        "|",
        "`",
        "]]>",
        "%0A::error::x",
    ]
)
words = st.one_of(st.text(max_size=12), st.lists(hostile, min_size=1, max_size=3).map("".join))
ids = st.one_of(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), words)
checks = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
readings = st.sampled_from([True, False, None])
marks = st.builds(Mark, file=words, line=st.integers(1, 9999), column=st.integers(1, 200))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
parameters = st.dictionaries(
    ids, st.one_of(leaves, st.lists(leaves, max_size=3), st.dictionaries(ids, leaves, max_size=2)), max_size=3
)


def tuples(items, size=3):
    return st.lists(items, max_size=size).map(tuple)


def maybe(items):
    return st.one_of(st.none(), items)


connections = st.builds(
    Connection,
    id=ids,
    name=words,
    exchange=words,
    market=st.sampled_from(Market),
    credentials=st.builds(CredentialRef, file=words, mark=marks, root=words),
    mark=marks,
    egress=maybe(ids),
    account=st.none(),
    permissions=st.just({}),
    attestations=st.just({}),
    marks=st.just({}),
)
keys = st.builds(
    KeyReport,
    permissions=st.builds(Permissions, **dict.fromkeys(Permissions.__dataclass_fields__, readings)),
    ip_whitelist=st.builds(IpWhitelist, restricted=readings, addresses=maybe(tuples(words))),
    account=st.builds(Account, uid=maybe(words), is_sub=readings, parent_uid=maybe(words)),
    label=maybe(words),
    created_at=maybe(moments),
    expires_at=maybe(moments),
    trade_expires_at=maybe(moments),
    expiry_rule=maybe(words),
    disabled=readings,
    unknown_words=tuples(words),
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=words,
    caller_ip=maybe(words),
    retry_after=st.none(),
    candidates=tuples(st.sampled_from(FailureKind)),
)
observations = st.builds(
    Observation,
    connection=ids,
    exchange=words,
    observed_at=moments,
    report=maybe(keys),
    failure=maybe(failures),
    unread=maybe(words),
    proofs=st.just({}),
    health=st.sampled_from(Health),
    clock_skew=maybe(st.floats(-1e6, 1e6)),
    caller_ip=maybe(words),
    caller_ip_source=st.sampled_from(["exchange", "failure", "operator", None]),
)
findings = st.builds(
    Finding,
    check=checks,
    verdict=st.sampled_from(Verdict),
    severity=st.sampled_from(Severity),
    subject=st.sampled_from(Subject),
    subject_id=ids,
    mark=maybe(marks),
    evidence=words,
    cause=words,
    fix=words,
    kind=maybe(st.sampled_from(FailureKind).map(lambda kind: kind.value)),
    waived_by=maybe(words),
    attested_by=maybe(words),
)
strategies = st.builds(
    Strategy,
    id=ids,
    name=words,
    connection=ids,
    runtime=ids,
    enabled=st.booleans(),
    pairs=tuples(words),
    parameters=parameters,
    mark=marks,
    marks=st.just({}),
)


def actions(kinds):
    return st.builds(
        Action,
        kind=st.sampled_from(kinds),
        strategy=ids,
        runtime=ids,
        reason=words,
        connection=maybe(ids),
        checks=tuples(checks),
        before=maybe(parameters),
        after=maybe(parameters),
    )


plans = st.builds(
    Plan,
    actions=tuples(actions(list(ActionKind)), 5),
    digest=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    targets=tuples(ids),
)
outcomes = st.builds(
    Outcome,
    action=actions([kind for kind in ActionKind if kind.acts]),
    state=st.sampled_from(OutcomeState),
    detail=words,
    at=maybe(moments),
)
reports = st.builds(
    Report,
    version=words,
    mode=st.sampled_from(Mode),
    started_at=moments,
    files=tuples(words, 5),
    connections=tuples(
        st.builds(
            ConnectionReport,
            connection=connections,
            observation=observations,
            status=st.sampled_from(Status),
            findings=tuples(findings),
        )
    ),
    strategies=tuples(strategies),
    findings=tuples(findings),
    plan=maybe(plans),
    outcomes=tuples(outcomes),
    exit_code=st.sampled_from(ExitCode),
)

concerns = st.builds(
    Concern,
    code=checks,
    message=words,
    fix=words,
    mark=maybe(marks),
    weight=st.sampled_from(Weight),
    exit_code=st.sampled_from(ExitCode),
    commit=maybe(words),
)
validations = st.builds(Validation, version=words, files=tuples(words, 5), concerns=tuples(concerns, 5))
risks = st.sampled_from(Risk)
differing = st.lists(
    st.builds(
        Leaf,
        path=words,
        old=st.one_of(leaves, tuples(words), parameters),
        new=st.one_of(leaves, tuples(words), parameters),
        risk=risks,
        why=words,
    ),
    max_size=3,
).map(tuple)
changes = st.builds(
    Change,
    section=st.sampled_from(
        ["connections", "strategies", "runtimes", "egress", "policy", "waivers", "rules"]
    ),
    id=ids,
    kind=st.sampled_from(ChangeKind),
    name=words,
    was=maybe(ids),
    risk=risks,
    why=words,
    leaves=differing,
    mark=maybe(marks),
)
of_values = st.sampled_from([state for state in SecretState if state is not SecretState.REENCRYPTED])
secrets = st.builds(
    SecretChange,
    file=words,
    state=st.sampled_from(SecretState),
    was=maybe(words),
    connections=tuples(ids),
    fields=tuples(st.builds(FieldChange, path=words, state=of_values)),
    recipients=tuples(words),
    added=tuples(words),
    removed=tuples(words),
    still_reads=tuples(words),
    leaves=differing,
    risk=risks,
    why=words,
    mark=maybe(marks),
)
consequences = st.builds(
    Consequence,
    kind=st.sampled_from([*(kind for kind in ActionKind if kind.acts), ActionKind.NONE]),
    strategy=ids,
    name=words,
    connection=ids,
    runtime=ids,
    reason=words,
)
revisions = st.builds(Revision, name=words, commit=maybe(words))
reviews = st.builds(
    Review,
    version=words,
    started_at=moments,
    base=revisions,
    head=revisions,
    files=tuples(words, 5),
    changes=tuples(changes, 4),
    secrets=tuples(secrets),
    on_merge=tuples(consequences),
    concerns=tuples(concerns),
    digest=st.one_of(st.just(""), st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
    exit_code=st.sampled_from(ExitCode),
)
results = st.one_of(reports, validations, reviews)
formats = st.sampled_from(sorted(FORMATS))

thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LAST = ("reconcile: ", "check: ", "validate: ", "diff: ")


@thorough
@given(result=results, name=formats, verbose=st.booleans(), width=st.integers(1, 140))
def test_every_format_shows_it_and_nothing_in_it_acts(read, result, name, verbose, width):
    shown = render(result, name, Options(verbose=verbose, width=width))
    rows = shown.split("\n")
    assert rows.pop() == ""
    assert all(row.isprintable() for row in rows)
    shown.encode()
    read(name, shown)
    if name != "github":
        assert not [row for row in rows if re.match(r"\s*::[a-z-]+::", row) or "##[" in row]


@pytest.mark.parametrize("name", FORMATS)
@thorough
@given(result=results)
def test_its_reader_takes_every_format(read, name, result):
    shown = render(result, name)
    read(name, shown)
    assert shown == render(result, name), "the same result reads the same"


@thorough
@given(result=results, verbose=st.booleans(), width=st.integers(1, 140))
def test_only_the_last_line_begins_like_the_last_line(result, verbose, width):
    for colour in (False, True):
        shown = ANSI.sub("", render(result, "text", Options(verbose=verbose, width=width, colour=colour)))
        rows = shown.splitlines()
        assert [row for row in rows if row.startswith(LAST)] == [rows[-1]]


@thorough
@given(result=results)
def test_no_line_of_a_comment_begins_with_what_others_wrote(result):
    """A bot takes a line that begins with a slash or a name for an order."""
    for row in render(result, "markdown").splitlines():
        assert not row or re.match(r"#|<|>|\||- |  - |\d|.{0,2} \*\*reconcile", row), row
