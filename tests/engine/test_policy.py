"""Policy on the files alone: what ``validate`` says of it, and what others can ask."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from reconciler.checks import STRATEGY_CHECKS, explain
from reconciler.engine.files import read
from reconciler.engine.policy import policy_concerns, policy_findings
from reconciler.engine.validate import validate
from reconciler.model.errors import ExitCode
from reconciler.output.registry import render
from reconciler.resources import folder

#: The example's flagship grows to 8.125 times its first order.
STRICT = {
    "max_margin_limit": {"amount": "600", "currency": "USDT"},
    "max_averaging_factor": "8",
    "allowed_quotes": ["USDC"],
}


@pytest.fixture
def example(tmp_path):
    """The example under a policy of one's own; gives the path of its file."""
    root = shutil.copytree(folder("examples"), tmp_path / "examples")
    path = root / "connections.yaml"

    def work(policy, **strategies):
        document = yaml.safe_load(path.read_text())
        document["policy"] |= policy
        for id_, changes in strategies.items():
            document["strategies"][id_.replace("_", "-")] |= changes
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return str(path)

    return work


def test_the_example_keeps_to_a_policy_that_asks_nothing(example):
    desired = read([example({})])
    assert policy_findings(desired) == ()
    assert policy_concerns(desired) == ()


def test_each_breach_is_a_concern_at_its_field_with_a_code_that_explain_takes(example):
    desired = read([example(STRICT | {"allowed_quotes": ["USDT"]})])
    concerns = policy_concerns(desired)
    assert [(one.code, one.message.split(" would")[0].split(" is")[0]) for one in concerns] == [
        ("policy-averaging", "btc-eth-recovery"),
        ("policy-margin-limit", "the margin_limit of btc-futures-trend"),
        ("policy-margin-limit", "the margin_limit of eth-deep-recovery"),
        ("policy-averaging", "eth-deep-recovery"),
    ]
    text = Path(desired.files[0]).read_text().splitlines()
    for one in concerns:
        assert one.exit_code is ExitCode.BLOCKED
        field = {"policy-averaging": "averaging:", "policy-margin-limit": "margin_limit:"}[one.code]
        assert text[one.mark.line - 1].lstrip().startswith(field)
        assert explain(one.code)
        assert one.fix


def test_validate_tells_them_in_file_order_and_ends_with_5(example):
    path = example(STRICT)
    result = validate([path])
    assert result.exit_code is ExitCode.BLOCKED
    assert {one.code for one in result.concerns} == set(STRATEGY_CHECKS)
    lines = [one.mark.line for one in result.concerns]
    assert lines == sorted(lines)
    assert not any("sol-grid-pilot" in one.message for one in result.concerns), "git has it off"
    printed = render(result, "text")
    assert "[policy-quotes]" in printed
    assert "fix: Remove the pair" in printed
    assert json.loads(render(result, "json"))["exit_code"] == 5


def test_validate_without_a_breach_is_as_before(example):
    loose = {"max_margin_limit": {"amount": "1000", "currency": "USDT"}, "max_averaging_factor": "80"}
    assert validate([example(loose | {"allowed_quotes": ["USDT"]})]).concerns == ()


def test_trouble_with_secrets_outranks_a_breach_and_both_are_told(example):
    path = example(STRICT)
    secret = folder("examples") / "secrets" / "mexc-spot-main.sops.yaml"
    spoilt = secret.read_text().replace("api_key: ENC", "api_key: in-clear-0123456789 #")
    (Path(path).parent / "secrets" / "mexc-spot-main.sops.yaml").write_text(spoilt)
    result = validate([path])
    assert result.exit_code is ExitCode.SECRETS
    assert "policy-quotes" in {one.code for one in result.concerns}


def test_files_that_cannot_be_read_are_not_judged_by_policy(example):
    path = example(STRICT, grid_backup={"enabled": "perhaps"})
    assert {one.code for one in validate([path]).concerns}.isdisjoint(STRATEGY_CHECKS)
