"""One comment, one issue: over HTTP, whatever GitHub answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[2] / "action" / "publish.py"
TOKEN = "ghs_CanaryOfTheTokenThatNobodyMayPrint"
BOT = "github-actions[bot]"
MARK = "<!-- reconciler:diff:0a1b2c3d -->"
DRIFT = "<!-- reconciler:dry-run:0a1b2c3d -->"


def hub_fault(method, path, status, headers=None, *, after=False):
    return SimpleNamespace(method=method, path=path, status=status, headers=headers or {}, after=after)


def bodies(hub):
    return [comment["body"] for comment in hub.comments.values()]


@pytest.fixture
def post(hub, publish, tmp_path, capsys):
    """Post ``body`` as the action does; ``post.slept`` holds the waits that were asked for."""

    def run(what, body=f"{MARK}\nhello", **environ):
        report = tmp_path / "report.md"
        report.write_text(body, encoding="utf-8")
        full = {
            "GITHUB_API_URL": hub.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "octo/desk",
            "PUBLISH_REPORT": str(report),
            "PUBLISH_PULL_REQUEST": "7",
            "PUBLISH_LABEL": "reconciler-drift",
            **environ,
        }
        code = publish.main(full, [what], sleep=run.slept.append)
        run.said = capsys.readouterr().out
        assert TOKEN not in run.said
        return code

    run.slept, run.said = [], ""
    return run


def test_the_first_run_comments_and_the_next_ones_update_that_comment(hub, post):
    assert post("comment", f"{MARK}\none") == 0
    assert post("comment", f"{MARK}\ntwo") == 0
    assert bodies(hub) == [f"{MARK}\ntwo"]
    assert "updated the comment on pull request 7" in post.said


def test_the_same_report_is_not_sent_again(hub, post):
    post("comment")
    post("comment")
    assert hub.sent("POST", "PATCH") == ["POST /repos/octo/desk/issues/7/comments"]


def test_a_marker_in_somebody_elses_comment_is_not_ours(hub, post):
    theirs = hub.add_comment(f"{MARK}\nlooks harmless", "mallory")
    assert post("comment") == 0
    assert hub.comments[theirs]["body"] == f"{MARK}\nlooks harmless"
    assert len(hub.comments) == 2


def test_a_marker_further_down_in_our_own_comment_is_a_quotation(hub, post):
    quoting = hub.add_comment(f"> {MARK}\n", BOT)
    post("comment")
    assert hub.comments[quoting]["body"] == f"> {MARK}\n"


@pytest.mark.parametrize("other", [DRIFT, "<!-- reconciler:diff:ffffffff -->"])
def test_another_command_or_other_files_have_a_comment_of_their_own(hub, post, other):
    post("comment")
    post("comment", f"{other}\nother")
    assert len(hub.comments) == 2


def test_a_run_without_a_report_takes_the_place_of_the_last_report_and_gives_it_back(hub, post):
    post("comment", f"{MARK}\nfine")
    post("comment", "<!-- reconciler:diff:00000000 -->\nended with 3")
    post("comment", f"{MARK}\nfine again")
    assert bodies(hub) == [f"{MARK}\nfine again"]


def test_our_comment_is_found_on_a_later_page(hub, post):
    hub.page = 2
    for number in range(5):
        hub.add_comment(f"chatter {number}", "alice")
    ours = hub.add_comment(f"{MARK}\nold", BOT)
    assert post("comment") == 0
    assert hub.comments[ours]["body"] == f"{MARK}\nhello"


def test_two_runs_at_once_leave_one_comment_after_the_next(hub, post):
    hub.add_comment(f"{MARK}\na", BOT)
    hub.add_comment(f"{MARK}\nb", BOT)
    post("comment")
    assert bodies(hub) == [f"{MARK}\nhello"]


def test_a_comment_that_another_run_removed_first_is_no_failure(hub, post, publish):
    hub.add_comment(f"{MARK}\na", BOT)
    hub.add_comment(f"{MARK}\nb", BOT)
    hub.faults = [hub_fault("DELETE", "comments", 404)]
    assert post("comment") == 0


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_tried_again(hub, post, status):
    hub.faults = [hub_fault("GET", "comments", status), hub_fault("GET", "comments", status)]
    assert post("comment") == 0
    assert post.slept == [1.0, 2.0]


@pytest.mark.parametrize("after", [False, True], ids=["lost before", "lost after"])
def test_a_post_without_an_answer_is_looked_for_before_it_is_sent_again(hub, post, after):
    hub.faults = [hub_fault("POST", "comments", 502, after=after)]
    assert post("comment") == 0
    assert len(hub.comments) == 1


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (403, {"Retry-After": "30"}, 30.0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 0.0),
        (429, {}, 60.0),
    ],
)
def test_a_rate_limit_is_waited_out_as_github_asks(hub, post, status, headers, wait):
    hub.faults = [hub_fault("POST", "comments", status, headers)]
    assert post("comment") == 0
    assert post.slept == [wait]
    assert len(hub.comments) == 1


def test_a_rate_limit_of_an_hour_is_not_waited_out(hub, post):
    hub.faults = [hub_fault("GET", "comments", 429, {"Retry-After": "3600"})]
    assert post("comment") == 1
    assert post.slept == []


def test_a_server_that_stays_broken_ends_in_1(hub, post):
    hub.faults = [hub_fault("GET", "comments", 503) for _ in range(9)]
    assert post("comment") == 1
    assert "503" in post.said


def test_a_token_without_the_right_to_comment_is_a_warning(hub, post):
    hub.writes = False
    assert post("comment") == 0
    assert post.said.startswith("::warning title=reconcile::GitHub answered a POST with 403")


def test_a_token_without_the_right_to_open_issues_is_an_error(hub, post):
    hub.writes = False
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE="2") == 1


def test_a_wrong_token_is_an_error_that_does_not_name_it(hub, post):
    assert post("comment", GITHUB_TOKEN="ghs_another") == 1
    assert "Bad credentials" in post.said
    assert "ghs_another" not in post.said


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_the_token_goes_nowhere(hub, post, status):
    hub.faults = [hub_fault("GET", "comments", status, {"Location": f"{hub.url}/elsewhere"})]
    assert post("comment") == 1
    assert not any("elsewhere" in path for _, path in hub.requests)


def test_a_next_page_at_another_address_is_refused(hub, post):
    hub.page, hub.foreign_next = 1, "http://127.0.0.1:1"
    hub.add_comment("a", "alice")
    hub.add_comment("b", "alice")
    assert post("comment") == 1
    assert "another address" in post.said


def test_what_github_says_cannot_command_the_runner(hub, post):
    hub.faults = [hub_fault("GET", "comments", 404)]
    assert post("comment") == 1
    assert len(post.said.splitlines()) == 1


def test_a_long_report_is_cut_says_so_first_and_stays_in_shape(hub, post):
    long = f"{MARK}\n# Title\n<details>\n\n```diff\n" + "+ a line of the report\n" * 9000
    assert post("comment", long) == 0
    body = bodies(hub)[0]
    assert len(body) <= 65_536
    assert body.splitlines()[0] == MARK
    assert "**Cut:**" in body[:200]
    assert body.count("```") == 2
    assert body.rstrip().endswith("</details>")
    assert post("comment", long) == 0
    assert len(hub.comments) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_API_URL", "http://api.github.example"),
        ("GITHUB_API_URL", "file:///etc/passwd"),
        ("GITHUB_API_URL", ""),
        ("GITHUB_TOKEN", ""),
        ("GITHUB_TOKEN", "two\r\nX-Injected: 1"),
        ("GITHUB_REPOSITORY", "octo/desk/../../user"),
        ("GITHUB_REPOSITORY", "octo/desk\n"),
        ("PUBLISH_PULL_REQUEST", ""),
        ("PUBLISH_PULL_REQUEST", "7/../../issues"),
        ("PUBLISH_REPORT", "/nowhere/at/all"),
        ("PUBLISH_REPORT", ""),
    ],
)
def test_wrong_input_posts_nothing(hub, post, name, value):
    assert post("comment", **{name: value}) in {1, 3}
    assert hub.sent("POST", "PATCH", "DELETE") == []


def test_a_file_that_is_no_report_is_not_posted(hub, post):
    assert post("comment", "AWS_SECRET=1\n") == 3
    assert hub.requests == [] or hub.sent("POST") == []


def test_a_users_own_token_posts_as_that_user(hub, post):
    hub.is_user, hub.login = True, "carol"
    post("comment", f"{MARK}\none")
    post("comment", f"{MARK}\ntwo")
    assert bodies(hub) == [f"{MARK}\ntwo"]


def test_an_apps_token_is_told_to_name_its_login(hub, post):
    hub.login = "desk-app[bot]"
    post("comment")
    assert "set the input author" in post.said
    post("comment", f"{MARK}\ntwo", PUBLISH_AUTHOR="desk-app[bot]")
    assert bodies(hub) == [f"{MARK}\ntwo"]


def test_drift_opens_one_issue_updates_it_closes_it_and_opens_the_same_again(hub, post):
    assert post("issue", f"{DRIFT}\nfirst", PUBLISH_EXIT_CODE="2") == 0
    assert post("issue", f"{DRIFT}\nworse", PUBLISH_EXIT_CODE="5") == 0
    (issue,) = hub.issues.values()
    assert (issue["state"], issue["body"]) == ("open", f"{DRIFT}\nworse")
    assert issue["title"] == "reconcile: an API key or its account fails a blocking check"

    assert post("issue", f"{DRIFT}\nwell", PUBLISH_EXIT_CODE="0") == 0
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")

    assert post("issue", f"{DRIFT}\nagain", PUBLISH_EXIT_CODE="2") == 0
    assert (issue["state"], issue["state_reason"]) == ("open", "reopened")
    assert len(hub.issues) == 1


def test_all_well_without_an_issue_writes_nothing(hub, post):
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE="0") == 0
    assert hub.sent("POST", "PATCH") == []


def test_all_well_again_leaves_a_closed_issue_alone(hub, post):
    hub.add_issue(f"{DRIFT}\nold", BOT, state="closed")
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE="0") == 0
    assert hub.sent("POST", "PATCH") == []


def test_the_same_drift_is_not_written_twice(hub, post):
    for _ in range(3):
        post("issue", f"{DRIFT}\nsame", PUBLISH_EXIT_CODE="2")
    assert hub.sent("POST", "PATCH") == ["POST /repos/octo/desk/issues"]


def test_issues_of_others_and_pull_requests_are_not_touched(hub, post):
    hub.add_issue(f"{DRIFT}\nforged", "mallory")
    hub.add_issue(f"{DRIFT}\na pull request", BOT, pull_request={"url": "x"})
    hub.add_issue(f"{DRIFT}\nunlabelled", BOT, label="else")
    before = {number: dict(issue) for number, issue in hub.issues.items()}
    post("issue", f"{DRIFT}\nreal", PUBLISH_EXIT_CODE="2")
    assert {number: hub.issues[number] for number in before} == before
    assert len(hub.issues) == 4


def test_a_dropped_label_is_told(hub, post):
    hub.drops_labels = True
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE="2") == 0
    assert "dropped the label" in post.said


def test_issues_that_are_switched_off_are_an_error(hub, post):
    hub.faults = [hub_fault("GET", "issues", 410)]
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE="2") == 1


@pytest.mark.parametrize("code", ["", "two", "-1"])
def test_an_audit_that_never_ran_closes_nothing(hub, post, code):
    number = hub.add_issue(f"{DRIFT}\n", BOT)
    assert post("issue", f"{DRIFT}\n", PUBLISH_EXIT_CODE=code) == 3
    assert hub.issues[number]["state"] == "open"


def test_the_script_runs_as_the_action_starts_it_from_any_folder(hub, tmp_path):
    (tmp_path / "rest.py").write_text("raise SystemExit('code of the pull request')")
    report = tmp_path / "report.md"
    report.write_text(f"{MARK}\nhello")
    done = subprocess.run(
        [sys.executable, "-E", "-s", str(SCRIPT), "comment"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tmp_path),
            "GITHUB_API_URL": hub.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "octo/desk",
            "PUBLISH_REPORT": str(report),
            "PUBLISH_PULL_REQUEST": "7",
        },
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bodies(hub) == [f"{MARK}\nhello"]


def test_nothing_listens_is_an_error_after_some_tries(hub, post):
    assert post("comment", GITHUB_API_URL="http://127.0.0.1:1") == 1
    assert post.slept == [1.0, 2.0, 4.0]
    assert "did not answer" in post.said
