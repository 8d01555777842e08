"""Strategies that are bots by a name of their own in a runtime: each says which, and no two the same."""

from __future__ import annotations

import json

import pytest

from reconciler.engine.files import read
from reconciler.engine.runtimes import opening_of
from reconciler.engine.settings import Settings
from reconciler.model.errors import ConfigError
from reconciler.runtimes.kubeconfig import Kubeconfig
from reconciler.state.store import open_for_writing


@pytest.fixture
def load(tmp_path):
    def work(first, second, *, namespaces=("trading", "trading"), runtimes=("k8s", "k8s")):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / "secrets" / "main.sops.yaml").touch()
        main = {
            "name": "Main",
            "exchange": "mexc",
            "market": "spot",
            "credentials": "secrets/main.sops.yaml",
        }
        made = zip(("one", "two"), (first, second), runtimes, strict=True)
        document = {
            "version": 1,
            "connections": {"main": main},
            "runtimes": {
                name: {"type": "kubernetes", "namespace": namespace}
                for name, namespace in zip(runtimes, namespaces, strict=True)
            },
            "strategies": {
                name: {
                    "name": name,
                    "connection": "main",
                    "runtime": runtime,
                    "enabled": name == "one",
                    "pairs": ["BTC/USDT"],
                }
                | ({"settings": settings} if settings is not None else {})
                for name, settings, runtime in made
            },
        }
        path = tmp_path / "connections.yaml"
        path.write_text(json.dumps(document, indent=1))
        return read([str(path)])

    return work


def problems(caught):
    return [one.code for one in caught.value.problems]


def test_each_its_own_is_sound(load):
    found = load({"workload": "deployment/a"}, {"workload": "statefulset/a"})
    assert found.runtimes["k8s"].options == {"namespace": "trading"}


@pytest.mark.parametrize("settings", [None, {}, {"workload": "pod/a"}, {"workload": ["deployment/a"]}])
def test_one_that_does_not_say_which_is_an_error_with_a_way_out(load, settings):
    with pytest.raises(ConfigError) as caught:
        load(settings, {"workload": "deployment/a"})
    assert problems(caught) == ["bot-not-named"]
    (problem,) = caught.value.problems
    assert "deployment/NAME" in problem.message
    assert "docs/runtimes/kubernetes.md" in problem.fix


def test_the_same_twice_is_an_error_even_where_one_is_off(load):
    with pytest.raises(ConfigError) as caught:
        load({"workload": "deployment/a"}, {"workload": "deployment/a"})
    assert problems(caught) == ["bot-taken"]
    assert "deployment/a in the namespace trading already is one" in str(caught.value.problems[0])


def test_the_same_name_in_two_runtimes_is_two_bots(load):
    same = {"workload": "deployment/a"}
    assert len(load(same, same, runtimes=("k8s", "other")).strategies) == 2


def test_other_settings_are_refused(load):
    with pytest.raises(ConfigError) as caught:
        load({"workload": "deployment/a", "replicas": 3}, {"workload": "deployment/b"})
    assert problems(caught) == ["unknown-setting"]


@pytest.mark.parametrize("namespace", ["", "kube_system", "a/../b", "Trading", "-a", "a" * 64, "a?x=1"])
def test_what_is_no_namespace_is_refused(load, namespace):
    with pytest.raises(ConfigError):
        load({"workload": "deployment/a"}, {"workload": "deployment/b"}, namespaces=(namespace,) * 2)


def test_the_operator_says_which_cluster_each_runtime_is(load, tmp_path):
    same = {"workload": "deployment/a"}
    desired = load(same, same, runtimes=("k8s", "other"))
    all_, one = Kubeconfig(path="/all"), Kubeconfig(path="/one", context="x")
    with open_for_writing(f"sqlite:///{tmp_path / 'state.db'}") as state:

        def opened(name, kubeconfigs):
            settings = Settings(files=(), kubeconfigs=kubeconfigs, environ={"A": "b"})
            return opening_of(desired.runtimes[name], desired, state, {}, settings)

        assert opened("k8s", {"": all_, "k8s": one}).kubeconfig == one
        assert opened("other", {"": all_, "k8s": one}).kubeconfig == all_
        assert opened("other", {"k8s": one}).kubeconfig is None
        assert opened("other", {}).environ == {"A": "b"}


@pytest.fixture
def bots(load, tmp_path):
    """Have the two strategies be bots of 3Commas."""

    def work(first, second):
        load({"workload": "deployment/a"}, {"workload": "deployment/b"})
        path = tmp_path / "connections.yaml"
        document = json.loads(path.read_text())
        (tmp_path / "secrets" / "3c.sops.yaml").touch()
        url = "https://api.3commas.io/public/api"
        document["runtimes"] = {"k8s": {"type": "3commas", "url": url, "credentials": "secrets/3c.sops.yaml"}}
        for name, settings in (("one", first), ("two", second)):
            document["strategies"][name]["settings"] = settings
        path.write_text(json.dumps(document, indent=1))
        return read([str(path)])

    return work


@pytest.fixture
def doors(load, tmp_path):
    """Have the two strategies be in two runtimes, each with its own url."""

    def work(kind, urls, settings):
        load({"workload": "deployment/a"}, {"workload": "deployment/b"})
        path = tmp_path / "connections.yaml"
        document = json.loads(path.read_text())
        names = ("k8s", "second")
        document["runtimes"] = {}
        for name, url in zip(names, urls, strict=True):
            (tmp_path / "secrets" / f"{name}.sops.yaml").touch()
            secret = f"secrets/{name}.sops.yaml"
            document["runtimes"][name] = {"type": kind, "url": url, "credentials": secret}
        for strategy, name in zip(("one", "two"), names, strict=True):
            document["strategies"][strategy] |= {"runtime": name, "settings": settings}
        path.write_text(json.dumps(document, indent=1))
        return read([str(path)])

    return work


HERE, THERE = "http://localhost:8080", "http://localhost:8081"


@pytest.mark.parametrize(
    ("kind", "settings", "code"),
    [
        ("3commas", {"bot_id": 1}, "bot-taken"),
        ("hummingbot", {"bot": "mm-1"}, "bot-taken"),
        ("freqtrade", {}, "runtime-runs-one"),
    ],
)
@pytest.mark.parametrize("second", [HERE, "http://LocalHost:8080"])
def test_one_bot_through_two_runtimes_of_the_same_url_is_one_bot(doors, kind, settings, code, second):
    """Each pass would stop it for the one that is off, and start it for the other."""
    with pytest.raises(ConfigError) as caught:
        doors(kind, (HERE, second), settings)
    assert problems(caught) == [code]
    assert len(doors(kind, (HERE, THERE), settings).strategies) == 2


def test_a_receiver_may_stand_for_many_runtimes(doors):
    assert len(doors("webhook", (HERE, HERE), {}).strategies) == 2


def test_bots_of_3commas_are_named_by_their_numbers(bots):
    assert len(bots({"bot_id": 1, "account_id": 7, "strategy": "x"}, {"bot_id": 2}).strategies) == 2


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ({"bot_id": 1}, {"bot_id": 1, "account_id": 7}, ["bot-taken"]),
        ({"bot_id": "1"}, {"bot_id": 2}, ["bot-not-named"]),
        ({"bot_id": 1, "account_id": "My Binance"}, {"bot_id": 2}, ["bot-not-named"]),
        ({"bot_id": 1, "kind": "grid"}, {"bot_id": 2}, ["unknown-setting"]),
    ],
)
def test_what_is_no_bot_of_3commas_is_refused(bots, first, second, codes):
    with pytest.raises(ConfigError) as caught:
        bots(first, second)
    assert problems(caught) == codes
