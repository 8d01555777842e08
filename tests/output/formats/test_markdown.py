"""The comment on a pull request: what stands where, what is folded, and how it is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.errors import ExitCode
from reconciler.model.plan import ActionKind
from reconciler.output.comment import LIMIT, Comment, Section, folded_if_many, row, size, table
from reconciler.output.registry import render


def comment(result) -> str:
    return render(result, "markdown")


def titles(text: str) -> list[str]:
    return [line.removeprefix("#### ") for line in text.splitlines() if line.startswith("#### ")]


def test_the_marker_is_of_the_command_and_its_files_in_any_order(dry_run, checked, validated, reviewed):
    marks = {name: comment(one).splitlines()[0] for name, one in locals().items()}
    assert len(set(marks.values())) == 4
    assert marks["dry_run"].startswith("<!-- reconciler:dry-run:")
    backwards = replace(validated, files=validated.files[::-1])
    assert comment(backwards).splitlines()[0] == marks["validated"]
    assert comment(replace(validated, concerns=())).splitlines()[0] == marks["validated"]


def test_what_stops_it_and_what_raises_risk_come_first(reviewed):
    assert titles(comment(reviewed)) == [
        "Fails (2)",
        "Risk goes up (6)",
        "Changes (7)",
        "Secrets (6)",
        "On merge (4)",
    ]
    assert comment(reviewed).splitlines()[3] == (
        "2 added, 2 changed, 1 renamed, 1 removed; 6 risk up, 1 risk down; 5 secrets changed; 2 failing"
    )


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "### ❌ reconcile diff: not to be merged as it is"),
        ({"concerns": ()}, "### ⚠️ reconcile diff: risk goes up"),
        ({"concerns": (), "changes": (), "secrets": "moved"}, "### ✅ reconcile diff: no risk goes up"),
    ],
)
def test_the_title_says_how_it_stands(reviewed, fields, title):
    if fields.get("secrets"):
        fields = fields | {"secrets": reviewed.secrets[1:2]}
    assert comment(replace(reviewed, **fields)).splitlines()[1] == title


def test_no_changes_is_one_line(unchanged, validated, dry_run):
    fine = replace(validated, concerns=())
    still = tuple(action for action in dry_run.plan.actions if action.kind is ActionKind.NONE)
    quiet = replace(
        dry_run,
        exit_code=ExitCode.DONE,
        connections=(),
        findings=(),
        plan=replace(dry_run.plan, actions=still),
    )
    counts = "0 to enable, 0 to change, 0 to disable, 0 blocked, 0 unknown, 0 held, 1 unchanged"
    assert [comment(one).splitlines()[1:] for one in (unchanged, fine, quiet)] == [
        ["✅ **reconcile diff**: no changes between origin/main (`0d0d0d0d0d0d`) and HEAD"],
        ["✅ **reconcile validate**: 0 errors (2 files read)"],
        [f"✅ **reconcile dry run**: no changes; {counts} · digest `{dry_run.plan.digest}`"],
    ]


def test_a_plan_says_what_it_does_and_where_the_digest_is(dry_run):
    shown = comment(dry_run)
    assert "| `+` **enable** | BTC ETH Recovery `btc-eth-recovery` | `mexc-spot-main` in `paper` |" in shown
    assert "| `*` **unmanaged** | `by-hand` | `paper` |" in shown
    assert "- `eth-swing` `risk_level`: `conservative` → `balanced`" in shown
    assert f"digest `{dry_run.plan.digest}` · exit 5: a blocking check failed" in shown


def test_an_apply_says_what_became_of_each(applied):
    assert "| `✗` **failed** | change ETH Swing `eth-swing` | paper refused `risk_level` |" in comment(
        applied
    )


def test_a_right_to_withdraw_stands_out(checked):
    assert (
        "| **Degraded** | Recovery PRO Connection `recovery-pro` | mexc spot | read, spot, **withdraw** |"
        in (comment(checked))
    )


def test_advice_is_folded_and_what_fails_is_not(dry_run):
    open_, folded = comment(dry_run).split("<details><summary>Advice (2)</summary>")
    assert "key-expires-soon" in folded
    assert "untick Withdraw" in open_


def test_many_changes_fold(reviewed):
    many = replace(reviewed, changes=reviewed.changes * 4)
    assert "<details><summary>Changes (28)</summary>" in comment(many)


def test_an_item_of_many_values_tells_how_many_more_there_are(reviewed):
    change = reviewed.changes[4]
    wide = replace(change, leaves=change.leaves * 20)
    assert "  - and 30 more values" in comment(replace(reviewed, changes=(wide,)))


def test_what_does_not_fit_is_left_out_by_whole_rows_and_said_first(read, reviewed):
    wordy = replace(reviewed.concerns[2], message="word " * 100)
    huge = replace(
        reviewed, changes=reviewed.changes * 100, secrets=reviewed.secrets * 100, concerns=(wordy,) * 100
    )
    shown = comment(huge)
    read("markdown", shown)
    assert size(shown) <= LIMIT
    assert size(shown) > LIMIT * 0.9, "what can be shown is"
    notice = next(line for line in shown.splitlines() if line.startswith(">"))
    left = int(notice.split("forge takes: ")[1].split()[0])
    total = 600 + 700 + 600 + 4 + 100
    rows = sum(
        line.startswith(("- ", "| ")) and not line.startswith("| what |") for line in shown.splitlines()
    )
    heads = shown.count("|  | strategy |")
    assert left == total - (rows - heads)
    assert "exit 4" in shown, "the foot stays"
    assert shown.index(notice) < shown.index("####")


def section(**fields) -> Section:
    return Section(**({"title": "Rows", "rows": ("- one", "- two")} | fields))


def framed(*sections: Section) -> Comment:
    return Comment(marker="<!-- m -->", title="### t", sections=sections, foot="<sub>foot</sub>")


def test_a_section_says_how_many_of_its_rows_are_shown():
    assert section().text() == "#### Rows (2)\n\n- one\n- two"
    assert section(total=9).text().startswith("#### Rows (2 of 9)")
    assert section(rows=(), head="| a |", total=9).text() == "#### Rows (0 of 9)"
    assert section(folded=True).text() == (
        "<details><summary>Rows (2)</summary>\n\n- one\n- two\n\n</details>"
    )
    assert folded_if_many(section(rows=("- x",) * 21)).folded
    assert not folded_if_many(section(rows=("- x",) * 20)).folded


def test_a_table_has_a_head_and_a_rule_under_it():
    assert table("", "a") == "|  | a |\n|---|---|"
    assert row("x", "y") == "| x | y |"


@pytest.mark.parametrize("limit", range(150, 700, 37))
def test_a_comment_never_exceeds_its_limit(limit):
    rows = tuple(f"- {'😀' * number}" for number in range(30))
    folded = section(title="Folded", rows=rows, folded=True)
    shown = framed(section(rows=rows, head=table("a")), folded).text(limit=max(limit, 330))
    assert size(shown) <= max(limit, 330)
    assert shown.count("<details>") == shown.count("</details>") == 1
    assert shown.endswith("<sub>foot</sub>\n")


def test_characters_beyond_the_basic_plane_count_twice():
    assert size("a😀") == 3
