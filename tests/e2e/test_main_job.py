"""The main job as a person does it: dry run, apply, dry run, and what happens when keys change."""

from __future__ import annotations

import json
import subprocess

import jsonschema
import pytest
from regopy import Interpreter

from reconciler.resources import schema
from reconciler.state.store import open_for_reading

RUNNING = "btc-eth-recovery"


def kinds(report):
    return {action["strategy"]: action["kind"] for action in report["plan"]["actions"]}


def statuses(report):
    return {item["id"]: item["status"] for item in report["connections"]}


def blocking(report, connection):
    (one,) = (item for item in report["connections"] if item["id"] == connection)
    return {
        f["check"]: f["verdict"]
        for f in one["findings"]
        if f["verdict"] != "pass" and f["severity"] == "blocking"
    }


class TestDryRun:
    def test_it_shows_every_kind_of_trouble_of_the_example(self, site):
        report = site.report("--dry-run")
        assert statuses(report) == {
            "mexc-spot-main": "connected",
            "kucoin-futures-conservative": "degraded",
            "recovery-pro": "degraded",
            "btc-eth-new-groups": "degraded",
            "mexc-grid-backup": "unreachable",
        }
        assert kinds(report) == {
            RUNNING: "enable",
            "sol-grid-pilot": "none",
            "btc-futures-trend": "blocked",
            "eth-deep-recovery": "blocked",
            "btc-new-group": "blocked",
            "eth-new-group": "blocked",
            "grid-backup": "unknown",
        }
        assert blocking(report, "kucoin-futures-conservative") == {"permission-futures-missing": "fail"}
        assert blocking(report, "recovery-pro") == {"withdraw-enabled": "fail"}
        assert "ip-whitelist-lacks-egress" in blocking(report, "btc-eth-new-groups")
        assert blocking(report, "mexc-grid-backup")["connection-test"] == "unknown"
        assert report["exit_code"] == 5

    def test_every_blocking_finding_names_cause_and_fix(self, site):
        report = site.report("--dry-run")
        for item in report["connections"]:
            for finding in item["findings"]:
                if finding["verdict"] != "pass":
                    assert finding["cause"], finding
                    assert finding["fix"], finding

    def test_its_json_follows_the_schema(self, site):
        report = site.report("--dry-run")
        jsonschema.validate(report, json.loads(schema("report.schema.json")))

    def test_it_leaves_no_trace(self, site):
        before = sorted(path for path in site.root.rglob("*"))
        site.run("--dry-run")
        assert sorted(path for path in site.root.rglob("*")) == before
        assert {method for _, method, *_ in map(_seen, site.sandbox.sandbox.requests)} == {"GET"}

    def test_the_last_line_can_be_searched_for(self, site):
        last = site.run("--dry-run").stdout.rstrip().splitlines()[-1]
        assert last.startswith("reconcile: 1 to enable, 0 to change, 0 to disable, 4 blocked, 1 unknown")

    def test_changes_show_in_the_exit_code_only_when_asked(self, site):
        site.edit(
            lambda doc: [doc["strategies"].pop(name) for name in list(doc["strategies"]) if name != RUNNING]
        )
        site.edit(
            lambda doc: [
                doc["connections"].pop(name) for name in list(doc["connections"]) if name != "mexc-spot-main"
            ]
        )
        assert site.call("--dry-run").returncode == 0
        assert site.call("--dry-run", "--detailed-exitcode").returncode == 2
        assert site.run("--yes").returncode == 0
        assert site.call("--dry-run", "--detailed-exitcode").returncode == 0


def _seen(request):
    return request.exchange, request.method, request.path


class TestApply:
    def test_only_the_checked_one_is_enabled_and_then_nothing_is_left_to_do(self, site):
        applied = site.report("--yes")
        assert [(o["strategy"], o["state"]) for o in applied["outcomes"]] == [(RUNNING, "done")]
        again = site.report("--dry-run")
        assert [a for a in again["plan"]["actions"] if a["kind"] in {"enable", "change", "disable"}] == []
        assert kinds(again)[RUNNING] == "none"

    def test_a_key_that_gains_withdrawal_loses_its_strategy_at_once(self, site):
        site.call("--yes")
        site.key("mexc-spot-main").permissions += ",SPOT_WITHDRAW_WRITE"
        report = site.report("--yes")
        assert [(o["strategy"], o["kind"], o["state"]) for o in report["outcomes"]] == [
            (RUNNING, "disable", "done")
        ]
        assert "withdraw-enabled" in blocking(report, "mexc-spot-main")

    def test_an_outage_holds_what_runs(self, site):
        site.call("--yes")
        site.key("mexc-spot-main").faults.outage = 503
        report = site.report("--yes")
        assert kinds(report)[RUNNING] == "hold"
        assert report["outcomes"] == []

    def test_after_the_grace_period_an_outage_disables(self, site):
        site.call("--yes")
        site.edit(lambda doc: doc["policy"].update(unknown_grace="0s"))
        site.key("mexc-spot-main").faults.outage = 503
        assert kinds(site.report("--yes"))[RUNNING] == "hold"
        later = site.report("--yes")
        assert kinds(later)[RUNNING] == "disable"

    def test_what_leaves_git_is_disabled_and_nothing_else(self, site):
        site.call("--yes")
        site.edit(lambda doc: doc["strategies"].pop(RUNNING))
        report = site.report("--yes")
        assert [(o["strategy"], o["kind"]) for o in report["outcomes"]] == [(RUNNING, "disable")]

    def test_a_connection_that_leaves_git_with_its_strategies_is_disabled(self, site):
        site.call("--yes")
        site.edit(
            lambda doc: (
                doc["strategies"].pop(RUNNING),
                doc["strategies"].pop("sol-grid-pilot"),
                doc["connections"].pop("mexc-spot-main"),
            )
        )
        assert kinds(site.report("--yes"))[RUNNING] == "disable"

    def test_even_when_its_runtime_leaves_git_too(self, site):
        """Files without any strategy stop nothing that nobody approved."""
        site.call("--yes")
        site.edit(lambda doc: (doc["strategies"].clear(), doc["runtimes"].clear()))
        assert kinds(site.report("--yes"))[RUNNING] == "hold"
        approval = {"allow": "disable", "count": 1, "reason": "r", "approved_by": "b", "until": "2999-12-31"}
        site.edit(lambda doc: doc.update(approvals=[approval]))
        assert kinds(site.report("--yes"))[RUNNING] == "disable"

    def test_new_settings_are_changed_in_place(self, site):
        site.call("--yes")
        site.edit(lambda doc: doc["strategies"][RUNNING].update(risk_level="balanced"))
        report = site.report("--yes")
        assert [(o["strategy"], o["kind"], o["state"]) for o in report["outcomes"]] == [
            (RUNNING, "change", "done")
        ]

    def test_a_strategy_that_git_moves_to_another_connection_trades_there_from_then_on(self, site):
        site.call("--yes")
        site.key("mexc-grid-backup").faults.outage = None
        site.edit(lambda doc: doc["strategies"][RUNNING].update(connection="mexc-grid-backup"))
        report = site.report("--yes")
        assert (RUNNING, "change", "done") in [
            (o["strategy"], o["kind"], o["state"]) for o in report["outcomes"]
        ]
        held = open_for_reading(f"sqlite:///{site.state}").ledger_rows("paper")
        assert held[RUNNING].connection == "mexc-grid-backup"
        assert kinds(site.report("--dry-run"))[RUNNING] == "none"

    def test_a_target_leaves_the_rest_alone(self, site):
        site.call("--yes")
        site.edit(lambda doc: doc["strategies"].pop(RUNNING))
        report = site.report("--yes", "--target", "grid-backup")
        assert report["outcomes"] == []

    def test_elsewhere_than_at_a_terminal_nothing_is_applied_by_accident(self, site):
        done = site.run()
        assert done.returncode == 3
        assert "--yes" in done.stderr
        assert not site.state.exists()


class TestPolicy:
    def test_what_breaks_it_is_disabled_and_starts_again_once_it_keeps_to_it(self, site):
        site.call("--yes")
        site.edit(lambda doc: doc["policy"].update(max_margin_limit={"amount": "499.99", "currency": "USDT"}))
        report = site.report("--yes")
        assert [(o["strategy"], o["kind"], o["state"]) for o in report["outcomes"]] == [
            (RUNNING, "disable", "done")
        ]
        jsonschema.validate(report, json.loads(schema("report.schema.json")))
        assert report["exit_code"] == 5
        site.edit(lambda doc: doc["strategies"][RUNNING]["margin_limit"].update(amount="499"))
        assert kinds(site.report("--yes"))[RUNNING] == "enable"

    def test_settings_beyond_it_are_not_changed_to(self, site):
        site.edit(lambda doc: doc["policy"].update(max_averaging_factor="8.125"))
        assert kinds(site.report("--yes"))[RUNNING] == "enable"
        site.edit(lambda doc: doc["strategies"][RUNNING]["averaging"].update(max_additions=4))
        assert kinds(site.report("--yes"))[RUNNING] == "disable"

    def test_screen_and_validate_say_which_rule_where_and_how_to_mend_it(self, site):
        site.edit(lambda doc: doc["policy"].update(allowed_quotes=["USDC"]))
        screen = site.call("--dry-run")
        assert screen.returncode == 5
        assert f"{RUNNING} trades BTC/USDT, ETH/USDT, and policy allows USDC alone" in screen.stdout
        assert "! blocks   policy-quotes · connections.yaml:" in screen.stdout
        assert "it breaks policy-quotes itself" in screen.stdout
        offline = site.call("validate", "-f", "connections.yaml", raw=True)
        assert offline.returncode == 5
        assert "[policy-quotes]" in offline.stdout
        assert "policy-quotes" in site.call("explain", "policy-quotes", raw=True).stdout


class TestReviewedPlan:
    def test_the_reviewed_plan_is_applied(self, site):
        site.run("--dry-run", "--out", "plan.json")
        report = site.report("--plan", "plan.json")
        assert [(o["strategy"], o["state"]) for o in report["outcomes"]] == [(RUNNING, "done")]

    def test_the_plan_file_follows_its_schema(self, site):
        site.call("--dry-run", "--out", "plan.json")
        jsonschema.validate(
            json.loads((site.root / "plan.json").read_text()), json.loads(schema("plan.schema.json"))
        )

    def test_the_example_policies_judge_it_as_conftest_would(self, site):
        site.call("--dry-run", "--out", "plan.json")
        rego = Interpreter()
        rego.set_input(json.loads((site.root / "plan.json").read_text()))
        for path in sorted((site.root / "policy").glob("*.rego")):
            rego.add_module(path.name, path.read_text())
        assert rego.query("data.main.deny").results[0].expressions[0] == [
            "eth-deep-recovery: averaging may make its position at most 10 times the first order"
        ]

    def test_settings_that_were_edited_for_a_policy_tool_are_not_applied(self, site):
        site.call("--dry-run", "--out", "plan.json")
        plan = json.loads((site.root / "plan.json").read_text())
        (enabling,) = (action for action in plan["actions"] if action["kind"] == "enable")
        enabling["desired"]["margin_limit"]["amount"] = "1"
        (site.root / "plan.json").write_text(json.dumps(plan))
        done = site.call("--plan", "plan.json")
        assert done.returncode == 8
        assert "the plan file was edited" in done.stderr
        assert not site.state.exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda site: site.edit(lambda doc: doc["strategies"][RUNNING].update(risk_level="balanced")),
            lambda site: setattr(
                site.key("mexc-spot-main"), "permissions", "SPOT_ACCOUNT_READ,SPOT_DEAL_READ"
            ),
            lambda site: site.edit(lambda doc: doc["strategies"].pop("grid-backup")),
        ],
        ids=["settings", "key", "strategy-gone"],
    )
    def test_a_world_that_moved_on_stops_it(self, site, change):
        site.call("--dry-run", "--out", "plan.json")
        change(site)
        done = site.call("--plan", "plan.json")
        assert done.returncode == 8, done.stderr
        (ended,) = open_for_reading(f"sqlite:///{site.state}").passes()
        assert ended.exit_code == 8
        assert kinds(site.report("--dry-run"))[RUNNING] in {"enable", "blocked"}

    def test_reencrypted_secrets_change_nothing(self, site):
        site.call("--dry-run", "--out", "plan.json")
        file = site.root / "secrets" / "mexc-spot-main.sops.yaml"
        before = file.read_bytes()
        subprocess.run(
            [site.environment["RECONCILER_SOPS"], "rotate", "-i", str(file)], env=site.environment, check=True
        )
        assert file.read_bytes() != before
        assert site.report("--plan", "plan.json")["outcomes"][0]["state"] == "done"

    def test_reordered_files_change_nothing(self, site):
        site.call("--dry-run", "--out", "plan.json")
        site.edit(
            lambda doc: [
                doc.update({k: dict(reversed(list(doc[k].items())))}) for k in ("connections", "strategies")
            ]
        )
        assert site.report("--plan", "plan.json")["outcomes"][0]["state"] == "done"

    def test_a_plan_that_was_edited_is_not_applied(self, site):
        site.call("--dry-run", "--out", "plan.json")
        plan = json.loads((site.root / "plan.json").read_text())
        plan["actions"] = [a for a in plan["actions"] if a["kind"] != "enable"]
        (site.root / "plan.json").write_text(json.dumps(plan))
        assert site.call("--plan", "plan.json").returncode == 8

    @pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"format_version": "9.9"}'])
    def test_what_is_no_plan_is_refused(self, site, content):
        (site.root / "plan.json").write_text(content)
        done = site.call("--plan", "plan.json")
        assert done.returncode == 3
        assert "Traceback" not in done.stderr

    def test_a_target_beside_a_reviewed_plan_is_refused_not_ignored(self, site):
        site.call("--dry-run", "--out", "plan.json")
        done = site.call("--plan", "plan.json", "--target", "grid-backup")
        assert done.returncode == 3
        assert "--target" in done.stderr
        assert not site.state.exists()


@pytest.mark.parametrize("exchange", ["mexc", "gateeu"])
def test_a_key_in_two_connections_is_found_though_only_one_of_them_is_looked_at(site, exchange):
    """Whatever exchange the files say: ccxt knows some exchanges by several ids."""
    secrets = site.root / "secrets"
    twin = secrets / "mexc-grid-backup.sops.yaml"
    twin.write_bytes((secrets / "mexc-spot-main.sops.yaml").read_bytes())
    for field, value in (("connection", "mexc-grid-backup"), ("exchange", exchange)):
        rebind = [site.environment["RECONCILER_SOPS"], "set", str(twin), f'["{field}"]', f'"{value}"']
        subprocess.run(rebind, env=site.environment, check=True)
    site.edit(lambda document: document["connections"]["mexc-grid-backup"].update(exchange=exchange))
    report = site.report("--yes", "--target", RUNNING)
    assert list(statuses(report)) == ["mexc-spot-main"]
    assert blocking(report, "mexc-spot-main") == {"key-shared": "fail"}
    assert kinds(report) == {RUNNING: "blocked"}


class TestCheck:
    def test_its_json_follows_the_schema_in_every_state_of_a_key(self, site):
        report = site.report("check")
        jsonschema.validate(report, json.loads(schema("check.schema.json")))
        assert {item["status"] for item in report["connections"]} == {"connected", "degraded", "unreachable"}

    def test_named_connections_alone_are_read(self, site):
        done = site.call("check", "mexc-spot-main")
        assert done.returncode == 0
        assert done.stdout.rstrip().endswith(
            "check: 1 online, 0 degraded, 0 rejected, 0 unreachable, 0 unchecked"
        )
        assert not site.state.exists()

    def test_a_name_that_is_not_in_the_files_is_told_with_its_neighbours(self, site):
        done = site.call("check", "mexc-spot-man")
        assert done.returncode == 3
        assert "mexc-spot-main" in done.stderr
