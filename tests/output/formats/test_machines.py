"""What each format for machines holds, beside being valid: order, limits, places, fingerprints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.errors import Mark
from reconciler.model.finding import Severity, Verdict
from reconciler.model.report import Concern, Weight
from reconciler.output.options import Options
from reconciler.output.registry import FORMATS, render

RESULTS = ("dry_run", "applied", "checked", "validated", "reviewed", "unchanged")


@pytest.mark.parametrize("format_", [name for name in FORMATS if name not in ("text", "json")])
@pytest.mark.parametrize("name", RESULTS)
def test_snapshot(name, format_, request, snapshot, read):
    shown = render(request.getfixturevalue(name), format_)
    read(format_, shown)
    assert shown == snapshot


def concern(message: str, **fields) -> Concern:
    return Concern(code="duplicate-key", message=message, fix="Remove one.", **fields)


def validation(validated, *concerns):
    return replace(validated, concerns=concerns)


def at(line: int, file: str = "a.yaml") -> Mark:
    return Mark(file=file, line=line, column=5)


def moved(result, by: int):
    """The same result with every line further down."""
    concerns = tuple(
        replace(one, mark=one.mark and replace(one.mark, line=one.mark.line + by)) for one in result.concerns
    )
    return replace(result, concerns=concerns)


class TestGithub:
    def test_each_annotation_has_its_place_title_and_reasons(self, read, checked):
        found = read("github", render(checked, "github"))
        ((name, properties, data),) = (one for one in found if "withdraw-enabled" in one[1]["title"])
        assert name == "error"
        assert properties == {
            "file": "examples/connections.yaml",
            "line": "12",
            "col": "3",
            "title": "withdraw-enabled: connection recovery-pro",
        }
        assert data.splitlines()[0].startswith("the key may withdraw: MEXC lists SPOT_WITHDRAW_WRITE")
        assert [line.partition(":")[0] for line in data.splitlines()[1:]] == ["cause", "fix"]

    def test_what_has_no_place_is_of_the_whole_run(self, read, validated):
        (*_, (name, properties, _)) = read("github", render(validated, "github"))
        assert (name, properties) == ("warning", {"title": "recipients-differ: files"})

    def test_ten_of_each_then_how_many_more(self, read, validated):
        fails = [concern(f"number {number}", mark=at(number + 1)) for number in range(25)]
        advice = [concern("a", mark=at(number + 1), weight=Weight.ADVICE) for number in range(11)]
        found = read("github", render(validation(validated, *advice, *fails), "github"))
        assert [name for name, _, _ in found] == ["error"] * 10 + ["warning"] * 10 + ["notice"]
        assert found[-1][2].startswith("15 more errors and 1 more warning are not annotated")

    def test_exactly_ten_leave_nothing_out(self, read, validated):
        fails = [concern("x", mark=at(number + 1)) for number in range(10)]
        found = read("github", render(validation(validated, *fails), "github"))
        assert [name for name, _, _ in found] == ["error"] * 10

    @pytest.mark.parametrize(
        "hostile",
        [
            "\n::error::injected",
            "\r::stop-commands::x",
            "%0A::add-mask::x",
            "a,line=1::x",
            "##[add-mask]x",
            "::warning title=a::b",
            "%25%0D",
        ],
    )
    def test_nothing_that_is_read_becomes_a_command(self, read, validated, hostile):
        wrong = concern(hostile, mark=at(3, file=hostile))
        ((name, properties, data),) = read("github", render(validation(validated, wrong), "github"))
        assert (name, properties["line"], properties["col"]) == ("error", "3", "5")
        assert len(data.splitlines()) == 2

    def test_passes_waivers_and_what_follows_from_an_unread_key_are_not_annotated(self, dry_run):
        shown = render(dry_run, "github")
        assert "ip-whitelist-extra" not in shown
        assert "two-factor-unattested" not in shown
        assert shown.count("withdraw-enabled: ") + shown.count("withdraw-enabled%3A") == 1


class TestGitlab:
    def test_an_issue(self, read, validated):
        (first, *_) = read("gitlab", render(validated, "gitlab"))
        assert first["description"] == (
            "duplicate-key: examples/connections.yaml: recovery-pro stands here twice, first on line 24; "
            "fix: Remove one of the two."
        )
        assert first["location"] == {"path": "examples/connections.yaml", "lines": {"begin": 36}}
        assert (first["check_name"], first["severity"]) == ("duplicate-key", "blocker")

    def test_severity_tells_failed_unknown_advice_and_accepted_apart(self, read, dry_run):
        found = read("gitlab", render(dry_run, "gitlab"))
        told = {one["description"].split(": ")[0] + one["severity"] for one in found}
        assert {
            "withdraw-enabledblocker",
            "connection-testmajor",
            "key-expires-soonminor",
            "ip-whitelist-extrainfo",
        } <= told

    def test_fingerprints_stay_when_lines_move_and_differ_when_anything_else_does(self, read, validated):
        def prints(*concerns):
            found = read("gitlab", render(validation(validated, *concerns), "gitlab"))
            return [one["fingerprint"] for one in found]

        one = concern("x stands here twice, first on line 3", mark=at(9))
        later = concern("x stands here twice, first on line 13, column 4", mark=at(19))
        assert prints(one) == prints(later)
        others = (
            concern("y stands here twice, first on line 3", mark=at(9)),
            concern("x stands here twice, first on line 3", mark=at(9, file="b.yaml")),
            replace(one, code="other"),
        )
        assert len({*prints(one), *prints(*others)}) == 4
        assert len(set(prints(one, one, one))) == 3

    def test_what_has_no_place_goes_to_the_first_file(self, read, validated):
        lost = concern("x")
        (issue,) = read("gitlab", render(validation(validated, lost), "gitlab"))
        assert issue["location"] == {"path": "examples/connections.yaml", "lines": {"begin": 1}}
        for files in ((), ("deploy",)):
            (issue,) = read("gitlab", render(replace(validation(validated, lost), files=files), "gitlab"))
            assert issue["location"]["path"] == "connections.yaml"

    def test_what_stood_in_an_older_commit_goes_to_the_top_of_its_file(self, read, validated):
        old = concern("api_key stood in clear", mark=at(7), commit="4f1d2c9e0b7a4f1d")
        (issue,) = read("gitlab", render(validation(validated, old), "gitlab"))
        assert issue["location"] == {"path": "a.yaml", "lines": {"begin": 1}}
        assert "(a.yaml:7:5 in commit 4f1d2c9e0b7a)" in issue["description"]


@pytest.mark.parametrize(
    ("file", "folder", "root", "told"),
    [
        ("a.yaml", "/ci/repo", "/ci/repo", "a.yaml"),
        ("./x/../a.yaml", "/ci/repo", "/ci/repo", "a.yaml"),
        ("/ci/repo/x/a.yaml", "/ci/repo", "/ci/repo", "x/a.yaml"),
        ("../a.yaml", "/ci/repo/deploy", "/ci/repo/", "a.yaml"),
        ("a.yaml", "/ci/repo/deploy", "/ci/repo", "deploy/a.yaml"),
        ("/etc/a.yaml", "/ci/repo", "/ci/repo", "/etc/a.yaml"),
        ("../a.yaml", "/ci/repo", "/ci/repo", "../a.yaml"),
        ("a.yaml", "/ci/repository", "/ci/repo", "a.yaml"),
        ("./a.yaml", "", "", "a.yaml"),
    ],
)
def test_files_are_named_from_the_top_of_the_repository(read, validated, *, file, folder, root, told):
    wrong = validation(validated, concern("x", mark=at(3, file=file)))
    (issue,) = read("gitlab", render(wrong, "gitlab", Options(folder=folder, root=root)))
    assert issue["location"]["path"] == told


class TestSarif:
    def test_a_result_and_its_rule(self, read, checked):
        run = read("sarif", render(checked, "sarif"))
        (result,) = (one for one in run["results"] if "may withdraw: MEXC" in one["message"]["text"])
        assert (result["ruleId"], result["level"]) == ("withdraw-enabled", "error")
        (location,) = result["locations"]
        assert location["physicalLocation"] == {
            "artifactLocation": {"uri": "examples/connections.yaml"},
            "region": {"startLine": 12, "startColumn": 3},
        }
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert "reconcile explain withdraw-enabled" in rule["help"]["text"]
        assert run["automationDetails"] == {"id": "reconciler/check/"}

    def test_a_waived_finding_is_a_note_that_says_by_whom(self, read, checked):
        run = read("sarif", render(checked, "sarif"))
        (waived,) = (one for one in run["results"] if one["ruleId"] == "ip-whitelist-extra")
        assert waived["level"] == "note"
        assert waived["suppressions"] == [
            {"kind": "external", "justification": "treasury: moving servers, until 2026-12-31"}
        ]

    @pytest.mark.parametrize(
        ("file", "uri"),
        [
            ("a b/c#1.yaml", "a%20b/c%231.yaml"),
            ("c:d?.yaml", "c%3Ad%3F.yaml"),
            ("主.yaml", "%E4%B8%BB.yaml"),
            ("/etc/a.yaml", "file:///etc/a.yaml"),
        ],
    )
    def test_paths_are_uris(self, read, validated, file, uri):
        run = read("sarif", render(validation(validated, concern("x", mark=at(3, file=file))), "sarif"))
        (location,) = run["results"][0]["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == uri

    def test_rules_and_fingerprints_stay_when_lines_move(self, read, validated):
        before, after = (read("sarif", render(one, "sarif")) for one in (validated, moved(validated, 7)))
        assert before["tool"] == after["tool"]
        assert [one["partialFingerprints"] for one in before["results"]] == [
            one["partialFingerprints"] for one in after["results"]
        ]

    def test_the_most_pressing_five_thousand_are_kept(self, read, validated):
        advice = [concern(f"n {number}", weight=Weight.ADVICE) for number in range(5001)]
        run = read("sarif", render(validation(validated, *advice, concern("fails")), "sarif"))
        assert len(run["results"]) == 5000
        assert run["results"][0]["level"] == "error"
        (told,) = run["invocations"][0]["toolExecutionNotifications"]
        assert told["message"]["text"] == "2 results left out"

    def test_a_link_in_a_message_is_none(self, read, validated):
        wrong = validation(validated, concern(r"[a](https://x.io) \](b)"))
        (result,) = read("sarif", render(wrong, "sarif"))["results"]
        assert r"[a] (https://x.io) \] (b)" in result["message"]["text"]


class TestJunit:
    def test_verdicts_are_failures_errors_skips_and_passes(self, read, checked):
        suites = {suite.name: suite for suite in read("junit", render(checked, "junit"))}
        pro = {case.name: case for case in suites["connection recovery-pro"]}
        assert pro["connection-test"].is_passed
        assert pro["withdraw-enabled"].is_failure
        assert pro["key-expires-soon"].is_skipped
        (unread, *_) = suites["connection btc-eth-new"]
        assert unread.is_error
        (result,) = pro["withdraw-enabled"].result
        assert result.type == "withdraw-enabled"
        assert "fix: On MEXC, under API Management" in result.text

    def test_each_file_without_an_error_passes(self, read, validated):
        suites = {suite.name: suite for suite in read("junit", render(validated, "junit"))}
        (case,) = suites["examples/strategies.yaml"]
        assert case.is_passed

    def test_a_folder_does_not_pass_when_a_file_in_it_is_wrong(self, read, validated):
        wrong = replace(
            validation(validated, concern("x", mark=at(1, "deploy/a.yaml"))), files=("deploy/", "dep")
        )
        suites = {suite.name: suite for suite in read("junit", render(wrong, "junit"))}
        assert set(suites) == {"deploy/a.yaml", "dep"}

    def test_cases_of_one_rule_are_told_apart(self, read, validated):
        same = [concern("x", mark=at(line)) for line in (1, 2, 3)]
        suites = {suite.name: suite for suite in read("junit", render(validation(validated, *same), "junit"))}
        names = [case.name for case in suites["a.yaml"]]
        assert names == ["duplicate-key", "duplicate-key (2)", "duplicate-key (3)"]

    def test_a_risk_is_named_by_its_value_and_every_other_change_passes(self, read, reviewed):
        suites = {suite.name: suite for suite in read("junit", render(reviewed, "junit"))}
        (risk,) = suites["strategies btc-eth-recovery"]
        assert (risk.name, risk.is_skipped) == ("risk-up margin_limit.amount", True)
        (change,) = suites["egress bot-eu"]
        assert change.is_passed

    @pytest.mark.parametrize(
        "hostile", ["\x00\x08\x1b", "\ufffe\uffff", "]]>", "<![CDATA[", "&lt;", '"', "\ud800"]
    )
    def test_what_xml_forbids_is_seen_instead(self, read, validated, hostile):
        wrong = validation(validated, concern(f"a{hostile}b", mark=at(1, file=hostile)))
        suites = read("junit", render(wrong, "junit"))
        assert suites.failures == 1


class TestRdjson:
    def test_a_diagnostic(self, read, validated):
        result = read("rdjson", render(validated, "rdjson"))
        (first, *_, last) = result["diagnostics"]
        assert first["location"] == {
            "path": "examples/connections.yaml",
            "range": {"start": {"line": 36}},
        }
        assert first["code"] == {"value": "duplicate-key"}
        assert last["location"] == {"path": "examples/connections.yaml"}, "of the whole file"
        assert [one["severity"] for one in result["diagnostics"]] == ["ERROR", "ERROR", "WARNING"]
        assert result["severity"] == "ERROR"

    def test_nothing_to_say_is_no_diagnostic(self, read, unchanged):
        assert read("rdjson", render(unchanged, "rdjson")) == {
            "source": {"name": "reconciler"},
            "severity": "INFO",
            "diagnostics": [],
        }

    def test_a_message_is_markdown_that_calls_nobody(self, read, validated):
        wrong = validation(validated, concern("ask @alice, see #12 or https://x.io"))
        (one,) = read("rdjson", render(wrong, "rdjson"))["diagnostics"]
        assert "ask `@alice`, see `#12` or `https://x.io`" in one["message"]


@pytest.mark.parametrize("format_", ["gitlab", "sarif", "rdjson", "junit", "github"])
def test_the_order_of_connections_changes_nothing(checked, format_):
    backwards = replace(checked, connections=checked.connections[::-1])
    assert render(backwards, format_) == render(checked, format_)


@pytest.mark.parametrize(
    ("verdict", "severity", "fields", "level"),
    [
        (Verdict.FAIL, Severity.BLOCKING, {}, "error"),
        (Verdict.UNKNOWN, Severity.BLOCKING, {}, "error"),
        (Verdict.FAIL, Severity.ADVISORY, {}, "warning"),
        (Verdict.UNKNOWN, Severity.ADVISORY, {}, "note"),
        (Verdict.FAIL, Severity.BLOCKING, {"waived_by": "bob"}, "note"),
        (Verdict.PASS, Severity.BLOCKING, {"attested_by": "bob"}, "note"),
        (Verdict.PASS, Severity.BLOCKING, {}, None),
    ],
)
def test_the_level_of_a_finding(read, checked, *, verdict, severity, fields, level):
    item = checked.connections[0]
    finding = replace(item.findings[0], verdict=verdict, severity=severity, **fields)
    alone = replace(item, findings=(finding,))
    run = read("sarif", render(replace(checked, connections=(alone,)), "sarif"))
    assert [one["level"] for one in run["results"]] == ([level] if level else [])
