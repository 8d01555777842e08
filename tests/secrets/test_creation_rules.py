"""Rules of .sops.yaml: what is said of them agrees with what the real sops does with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.secrets import re2
from reconciler.secrets.creation_rules import ENCRYPTED_REGEX, find_rules, lint_rules, read_rules

PLAIN = "connection: a\nexchange: b\napi_key: c\nsecret: d\npassphrase: e\nprivate_key: f\n"


def codes(text: str, **options) -> list[str]:
    problems = lint_rules(text, file=".sops.yaml", **options)
    assert all(problem.fix for problem in problems)
    return [problem.code for problem in problems]


def rule(*lines: str, recipients: str = "age: age1x") -> str:
    return "\n".join(["creation_rules:", f"  - {recipients}", *(f"    {line}" for line in lines), ""])


def test_the_recommended_rule_is_sound() -> None:
    assert codes(rule(f"encrypted_regex: '{ENCRYPTED_REGEX}'", "path_regex: secrets/")) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("encrypted_regex: '^(api_key|secret'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '^(?!(connection|exchange)$).*$'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '(?<=a)key'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '(?<!a)key'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '(?>api)_key'", ["bad-regex", "secret-in-clear"]),
        (r"encrypted_regex: '(a)\1'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '(?P<x>a)(?P=x)'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: 'a*+'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: 'a**'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: 'a{1001}'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '(?x) a'", ["bad-regex", "secret-in-clear"]),
        (r"encrypted_regex: '^secret\Z'", ["bad-regex", "secret-in-clear"]),
        (r"encrypted_regex: '\u0061'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '[a'", ["bad-regex", "secret-in-clear"]),
        ("encrypted_regex: '^(api_key|secret)$'", ["secret-in-clear"]),
        ("encrypted_regex: 'nothing'", ["secret-in-clear"]),
        ("encrypted_regex: '.*'", ["binding-encrypted"]),
        (r"encrypted_regex: '^secret\z'", ["rule-unjudged"]),
        ("encrypted_regex: '[[:alpha:]]+'", ["rule-unjudged"]),
        ("encrypted_regex: '^(api_key|secret)+$'", ["rule-unjudged"]),
        ("unencrypted_regex: '^(connection|exchange)$'", []),
        ("unencrypted_regex: '^(connection|exchange|secret)$'", ["secret-in-clear"]),
        ("unencrypted_regex: '^(?!secret)'", ["bad-regex"]),
        ("encrypted_suffix: _key", ["secret-in-clear"]),
        ("unencrypted_suffix: e", ["secret-in-clear", "binding-encrypted"]),
        ("unencrypted_suffix: _unencrypted", ["binding-encrypted"]),
        ("encrypted_comment_regex: x", ["rule-unjudged"]),
        ("unencrypted_comment_regex: x", ["rule-unjudged"]),
        ("path_regex: x", ["binding-encrypted"]),
        (f"encrypted_regex: '{ENCRYPTED_REGEX}'\n    mac_only_encrypted: true", ["mac-only-encrypted"]),
        (f"encrypted_regex: '{ENCRYPTED_REGEX}'\n    mac_only_encrypted: false", []),
        (f"encrypted_regex: '{ENCRYPTED_REGEX}'\n    encrypted_suffix: x", ["bad-regex"]),
    ],
)
def test_each_way_of_going_wrong(line: str, expected: list[str]) -> None:
    assert codes(rule(line)) == expected


@pytest.mark.parametrize(
    "selection",
    [
        "encrypted_regex: '^(api_key|secret'",
        "encrypted_regex: '^(?!(connection|exchange)$).*$'",
        r"encrypted_regex: '^secret\Z'",
        r"encrypted_regex: '^secret\z'",
        "encrypted_regex: '(?x)secret'",
        "encrypted_regex: 'a{1001}|secret'",
        "encrypted_regex: 'secret*+'",
        "encrypted_regex: 'secret??'",
        "encrypted_regex: '(?i)SECRET'",
        "encrypted_regex: '[]secret]'",
        "encrypted_regex: '[[:alpha:]]+'",
        "encrypted_regex: 'e$|(?P<n>t)'",
        r"encrypted_regex: '\bsecret\b|api\Ekey'",
        f"encrypted_regex: '{ENCRYPTED_REGEX}'",
        "unencrypted_regex: '^(connection|exchange)$'",
        "unencrypted_regex: '^(?!secret)'",
        "unencrypted_suffix: e",
        "encrypted_suffix: t",
        "path_regex: x",
    ],
)
def test_the_verdict_is_never_better_than_what_sops_does(
    sops, age_key, tmp_path: Path, selection: str
) -> None:
    rules = tmp_path / ".sops.yaml"
    rules.write_text(rule(selection, recipients=f"age: {age_key.public}"))
    command = [sops.path, "--config", rules, "encrypt", "--input-type", "yaml", "--output-type", "yaml"]
    done = subprocess.run(
        [*command, "--filename-override", tmp_path / "x.yaml"],
        input=PLAIN, env=dict(sops.environ), capture_output=True, text=True, check=True,
    )  # fmt: skip
    clear = {line.split(":")[0] for line in done.stdout.splitlines() if ": ENC[" not in line}
    leaks = {"api_key", "secret", "passphrase", "private_key"} & clear
    hidden = {"connection", "exchange"} - clear
    found = set(codes(rules.read_text()))
    if leaks:
        assert found & {"secret-in-clear", "rule-unjudged"}
    if hidden:
        assert found & {"binding-encrypted", "rule-unjudged", "bad-regex"}
    if not leaks and not hidden:
        assert not found & {"secret-in-clear", "binding-encrypted"}


@pytest.mark.parametrize(
    "recipients",
    ["age: age1x", "age: [age1x]", "pgp: AB", "kms: arn", "gcp_kms: x", "azure_keyvault: x",
     "hc_vault_transit_uri: x", "hckms: [x]", "key_groups: [{age: [age1x]}]"],
)  # fmt: skip
def test_any_recipient_will_do(recipients: str) -> None:
    assert codes(rule(f"encrypted_regex: '{ENCRYPTED_REGEX}'", recipients=recipients)) == []


@pytest.mark.parametrize("recipients", ["path_regex: x", "age: ''", "age: []", "age:"])
def test_a_rule_without_recipients(recipients: str) -> None:
    assert codes(rule(f"encrypted_regex: '{ENCRYPTED_REGEX}'", recipients=recipients)) == ["no-recipients"]


def test_anchors_and_merge_keys_are_resolved() -> None:
    text = (
        f"keys: &all\n  - &alice age1x\nbase: &base\n  age: *all\n  encrypted_regex: '{ENCRYPTED_REGEX}'\n"
        "creation_rules:\n  - <<: *base\n    path_regex: a\n  - <<: [*base]\n  - age: *alice\n"
    )
    problems = lint_rules(text)
    assert [(problem.code, problem.mark.line) for problem in problems] == [("binding-encrypted", 10)]
    assert "the rule for all files" in problems[0].message


def test_only_the_rule_that_a_secret_file_gets_is_judged(tmp_path: Path) -> None:
    rules = tmp_path / ".sops.yaml"
    rules.write_text(
        "creation_rules:\n"
        "  - {path_regex: 'connections\\.yaml$', age: x, encrypted_regex: nothing}\n"
        f"  - {{path_regex: '^secrets/', age: x, encrypted_regex: '{ENCRYPTED_REGEX}'}}\n"
        "  - {age: x, encrypted_suffix: _never}\n"
    )
    assert len(lint_rules(rules)) == 2
    assert lint_rules(rules, secret_files=[tmp_path / "secrets" / "main.sops.yaml"]) == ()
    assert len(lint_rules(rules, secret_files=[tmp_path / "other.yaml"])) == 1
    unjudged = rules.read_text().replace("'connections", "'(a+)+connections")
    rules.write_text(unjudged)
    assert len(lint_rules(rules, secret_files=[tmp_path / "secrets" / "main.sops.yaml"])) == 1


@pytest.mark.parametrize(
    "text",
    ["", "text", "[]", "creation_rules: text", "creation_rules: [text]", "a: [", "a: *b", "\x00",
     "creation_rules: " + "[" * 100_000, "? [a]\n: b", "other: 1"],
)  # fmt: skip
def test_what_are_no_rules(text: str) -> None:
    assert codes(text) == ["rules-unreadable"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"#" * (2 << 20))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path, large, binary):
        (problem,) = lint_rules(path)
        assert (problem.code, problem.mark.file) == ("rules-unreadable", str(path))


def test_the_nearest_rules_are_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_rules(deep) is None or tmp_path not in find_rules(deep).parents
    (tmp_path / ".sops.yaml").write_text("")
    assert find_rules(deep) == tmp_path / ".sops.yaml"
    (tmp_path / "a" / ".sops.yaml").write_text("")
    assert find_rules(deep) == tmp_path / "a" / ".sops.yaml"


@given(st.text(max_size=80))
def test_any_text_gives_problems_and_no_exception(text: str) -> None:
    lint_rules(text)
    lint_rules(f"creation_rules: [{{age: x, encrypted_regex: {text!r}}}]")


@given(st.text(st.sampled_from("()[]{}|*+?^$\\.:=!<>#Pax1-,\"'"), max_size=12))
def test_any_pattern_gives_problems_and_no_exception(pattern: str) -> None:
    quoted = pattern.replace("'", "''")
    assert isinstance(lint_rules(rule(f"encrypted_regex: '{quoted}'")), tuple)


def bomb(levels, wide):
    """Ten lists of ten lists …: a few hundred bytes that stand for more than a memory holds."""
    lines = [f"x0: &x0 [{', '.join(['a'] * wide)}]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * wide)}]" for n in range(1, levels)]
    return "\n".join((*lines, "creation_rules:", f"  - age: *x{levels - 1}", ""))


@pytest.mark.parametrize(
    "text",
    [
        bomb(9, 10),
        bomb(200, 1),
        "creation_rules:\n  - age: &a [*a]\n",
        "creation_rules:\n  - &r\n    key_groups: [*r]\n",
        "creation_rules:\n" + "  - {}\n" * 1000,
        "creation_rules:\n  - age: " + "a" * (1 << 20) + "\n",
    ],
    ids=["wide", "deep", "in itself", "a rule in itself", "many", "long"],
)
def test_rules_that_stand_for_very_much_are_no_rules(text):
    assert read_rules(text, file=".sops.yaml") is None
    (problem,) = lint_rules(text)
    assert problem.code == "rules-unreadable"


@pytest.mark.parametrize(
    "pattern",
    [
        "a*" * 12 + "b",
        ".*" * 9 + "x$",
        "a?" * 40 + "a{40}b",
        "(a|a)" * 40 + "b",
        "(a|aa|" * 20 + "b" + ")" * 20,
    ],
)
def test_a_pattern_of_many_ways_is_not_tried(pattern):
    assert re2.matches(pattern, "a" * 40) is None


@pytest.mark.parametrize("pattern", ["[" * 3000, "a" * 3000])
def test_a_pattern_that_is_very_long_is_not_tried(pattern):
    assert re2.matches(pattern, "a") is None
    assert re2.refusal(pattern)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [(r"^secrets/.*/prod/.*\.sops\.yaml$", False), (r"(secrets|keys)/[^/]+\.ya?ml$", True), ("", True)],
)
def test_patterns_as_teams_write_them_are_tried(pattern, fits):
    assert re2.matches(pattern, "secrets/mexc-spot-main.sops.yaml") is fits
