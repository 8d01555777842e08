"""What strategies find on their connections: told, and never of any weight in a plan."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.checks import CATALOGUE, MARKET_CHECKS, status
from reconciler.engine import pass_
from reconciler.engine.markets import market_findings, unanswered
from reconciler.engine.settings import Settings
from reconciler.engine.survey import Survey
from reconciler.model.finding import Finding, Subject, Verdict
from reconciler.model.live import KeyReport, Observation, Proof, Wallet
from reconciler.model.report import ConnectionReport
from reconciler.resources import folder
from reconciler.state.store import open_for_reading

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MAIN, OTHER = "mexc-spot-main", "mexc-grid-backup"


def strategy(connection=MAIN, *, enabled=True):
    limit = {"amount": "500", "currency": "USDT"}
    given = {"connection": connection, "enabled": enabled, "margin_limit": limit}
    return {"name": "Grid", "runtime": "paper", "pairs": ["BTC/USDT"], "risk_level": "balanced", **given}


CONFIG = {
    "version": 1,
    "connections": {
        name: {
            "name": name,
            "exchange": "mexc",
            "market": "spot",
            "credentials": f"secrets/{name}.sops.yaml",
        }
        for name in (MAIN, OTHER)
    },
    "runtimes": {"paper": {"type": "ledger"}},
    "strategies": {
        "grid": strategy(),
        "off": strategy(enabled=False),
        "beside": strategy(OTHER),
    },
}
#: What nobody may find anywhere: the sum of what the account holds.
AMOUNT = Decimal("123.456789012345")


@pytest.fixture
def desk(tmp_path):
    """Runs passes in which connections were read with all well but what the test says."""

    class Desk:
        plain = None
        options = Settings(
            files=(str(tmp_path / "connections.yaml"),),
            state=f"sqlite:///{tmp_path}/state.db",
            now=lambda: NOW,
        )

        def __init__(self):
            (tmp_path / "connections.yaml").write_text(json.dumps(CONFIG))
            shutil.copytree(folder("examples") / "secrets", tmp_path / "secrets")
            self.desired = pass_.read(self.options.files)

        def report(self, name=MAIN, **seen):
            observation = Observation(
                connection=name,
                exchange="mexc",
                observed_at=NOW,
                report=KeyReport(),
                **{"proofs": {"balance": Proof(name="balance")}, **seen},
            )
            findings = tuple(
                Finding(
                    check=check.id,
                    verdict=Verdict.PASS,
                    severity=check.severity,
                    subject=Subject.CONNECTION,
                    subject_id=name,
                )
                for check in CATALOGUE.values()
            )
            return ConnectionReport(
                connection=self.desired.connections[name],
                observation=observation,
                status=status(observation, findings),
                findings=findings,
            )

        async def run(self, what, *reports):
            async def surveyor(desired, connections, options):
                read = {report.connection.id for report in reports}
                resting = tuple(one.id for one in connections if one.id not in read)
                return Survey(reports=reports, secrets_errors=(), resting=resting)

            return await what(self.options, surveyor=surveyor)

        def open(self):
            known = open_for_reading(self.options.state).conditions()
            return {one.check for one in known if one.subject is Subject.STRATEGY} & {*MARKET_CHECKS}

        def kept(self):
            return b"".join(file.read_bytes() for file in tmp_path.glob("state.db*"))

    return Desk()


def short(**more):
    return {"wallet": Wallet(held={"USDT": AMOUNT}), "pairs": {"BTC/USDT": False}, **more}


def told(report):
    return {(one.subject_id, one.check): one.verdict.value for one in report.findings}


async def test_each_strategy_that_should_run_on_what_was_read_is_told(desk):
    report = await desk.run(pass_.dry_run, desk.report(**short()))
    assert told(report) == {
        ("grid", "strategy-margin-balance"): "fail",
        ("grid", "strategy-pair-listed"): "fail",
    }


def test_targets_choose_whose_findings_are_told(desk):
    reports = [desk.report(**short()), desk.report(OTHER, **short())]
    for targets, whose in (((), {"grid", "beside"}), (("beside",), {"beside"}), ((MAIN,), {"grid"})):
        found = market_findings(desk.desired, reports, targets)
        assert {one.subject_id for one in found} == whose


WALLETS = st.none() | st.builds(
    Wallet,
    held=st.dictionaries(
        st.sampled_from(["USDT", "BTC"]), st.decimals(min_value=-9, max_value=900, places=2), max_size=2
    ),
    whole=st.booleans(),
)
PAIRS = st.dictionaries(st.sampled_from(["BTC/USDT", "ETH/USDT"]), st.none() | st.booleans(), max_size=2)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wallet=WALLETS, pairs=PAIRS)
async def test_neither_money_nor_lists_start_or_stop_anything(desk, wallet, pairs):
    """Whatever was read of them, or was not: the same plan, by digest, and the same exit code."""
    if desk.plain is None:
        desk.plain = await desk.run(pass_.dry_run, desk.report(), desk.report(OTHER))
    report = await desk.run(
        pass_.dry_run, desk.report(wallet=wallet, pairs=pairs), desk.report(OTHER, wallet=wallet)
    )
    assert (report.plan, report.exit_code) == (desk.plain.plan, desk.plain.exit_code)


async def test_no_amount_is_kept(desk):
    report = await desk.run(pass_.converge, desk.report(**short()), desk.report(OTHER))
    assert told(report)[("grid", "strategy-margin-balance")] == "fail"
    assert b"margin limit of grid, 500 USDT" in desk.kept()
    for shown in (str(AMOUNT), str(AMOUNT)[:5]):
        assert shown.encode() not in desk.kept()
        assert shown not in repr(report)


async def test_what_is_short_is_told_once_and_over_when_it_is(desk):
    well = {"wallet": Wallet(held={"USDT": Decimal(500)}), "pairs": {"BTC/USDT": True}}
    for seen, still in ((short(), {*MARKET_CHECKS}), (short(), {*MARKET_CHECKS}), (well, set())):
        await desk.run(pass_.converge, desk.report(**seen), desk.report(OTHER))
        assert desk.open() == still


@pytest.mark.parametrize(
    "silence",
    [
        None,
        {"pairs": {"BTC/USDT": None}},
        {"proofs": {}},
    ],
)
async def test_nothing_is_over_because_nobody_answered(desk, silence):
    """A connection that rests, a list that was not had, a balance that was not read."""
    await desk.run(pass_.converge, desk.report(**short()), desk.report(OTHER))
    now = () if silence is None else (desk.report(**silence),)
    await desk.run(pass_.converge, *now, desk.report(OTHER))
    assert desk.open() == {*MARKET_CHECKS}


def test_what_git_no_longer_asks_is_over(desk):
    """A strategy that is off, or without a limit, is no open question."""
    grid = desk.desired.strategies["grid"]
    for changed in (replace(grid, enabled=False), replace(grid, parameters={})):
        desired = replace(desk.desired, strategies={"grid": changed})
        reports = [desk.report(**short())]
        findings = market_findings(desired, reports)
        key = (Subject.STRATEGY, "grid", "strategy-margin-balance")
        assert key not in unanswered(desired, reports, findings)
