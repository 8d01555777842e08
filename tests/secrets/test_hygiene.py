"""Where private keys lie, told by name and mode and never by content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.secrets.hygiene import KeySource, key_sources


def found(environ: dict[str, str]) -> dict[str, KeySource]:
    return {source.path or source.name: source for source in key_sources(environ)}


def test_nothing_anywhere(home: Path) -> None:
    sources = key_sources({"HOME": str(home)})
    assert {source.name for source in sources} >= {"SOPS_AGE_KEY", "age keys", "SSH key", "GnuPG"}
    assert not [source for source in sources if source.exists or source.readable or source.warning]


def test_no_home_at_all() -> None:
    assert [source for source in key_sources({}) if source.path] == []


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_the_mode_of_a_key_file(home: Path, mode: int, warned: bool) -> None:
    keys = home / ".config" / "sops" / "age" / "keys.txt"
    keys.parent.mkdir(parents=True)
    keys.write_text("AGE-SECRET-KEY-CANARY")
    keys.chmod(mode)
    source = found({"HOME": str(home)})[str(keys)]
    assert (source.exists, source.readable, source.mode) == (True, True, mode)
    assert bool(source.warning) is warned
    assert (source.fix == f"chmod go= {keys}") is warned
    assert "CANARY" not in repr(source)


def test_the_configured_folders_are_used(home: Path, tmp_path: Path) -> None:
    sources = found(
        {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "x"), "GNUPGHOME": str(tmp_path / "g")}
    )
    assert str(tmp_path / "x" / "sops" / "age" / "keys.txt") in sources
    assert sources[str(tmp_path / "g")].warning == "it is not there"
    assert str(home / ".gnupg") not in sources


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    source = found({"SOPS_AGE_KEY_FILE": str(tmp_path / "none")})[str(tmp_path / "none")]
    assert (source.exists, source.warning) == (False, "it is not there")
    assert "SOPS_AGE_KEY_FILE" in source.fix


def test_a_key_in_the_environment_is_told_without_showing_it() -> None:
    sources = found({"SOPS_AGE_KEY": "AGE-SECRET-KEY-CANARY", "SOPS_AGE_KEY_CMD": "pass show CANARY"})
    assert sources["SOPS_AGE_KEY"].readable
    assert "inherits" in sources["SOPS_AGE_KEY"].warning
    assert sources["SOPS_AGE_KEY_CMD"].readable
    assert "CANARY" not in repr(sources)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_key_that_this_user_may_not_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("x")
    key.chmod(0)
    source = found({"SOPS_AGE_KEY_FILE": str(key)})[str(key)]
    assert (source.readable, source.warning) == (False, "this user may not read it")


@pytest.mark.parametrize(
    ("platform", "more", "expected"),
    [
        ("linux", {}, ".config"),
        ("darwin", {}, "Library/Application Support"),
        ("darwin", {"XDG_CONFIG_HOME": "{home}/xdg"}, "xdg"),
        ("darwin", {"XDG_CONFIG_HOME": ""}, "Library/Application Support"),
    ],
)
def test_the_key_file_is_where_sops_looks_on_each_system(
    home: Path, platform: str, more: dict[str, str], expected: str
) -> None:
    environ = {"HOME": str(home)} | {name: value.format(home=home) for name, value in more.items()}
    sources = {source.name: source.path for source in key_sources(environ, platform=platform)}
    assert sources["age keys"] == str(home / expected / "sops/age/keys.txt")
