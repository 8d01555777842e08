"""The manifests of the Kubernetes runtime: Kubernetes takes them, and they grant what the page says."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "runtimes" / "kubernetes"
PAGE = (ROOT / "docs" / "runtimes" / "kubernetes.md").read_text(encoding="utf-8")
DRIVER = "".join(
    (ROOT / "reconciler" / "runtimes" / f"{name}.py").read_text() for name in ("kubernetes", "kubernetes_api")
)


def manifests(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def roles():
    return {one["metadata"]["name"]: one["rules"] for one in manifests("rbac.yaml") if one["kind"] == "Role"}


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("name", ["rbac.yaml", "bot.yaml"])
def test_kubernetes_takes_the_manifests(name, version):
    for manifest in manifests(name):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_what_is_needed_is_the_scale_of_named_workloads_and_nothing_else():
    (bot,) = manifests("bot.yaml")
    assert roles()["reconciler"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale", "statefulsets/scale"],
            "resourceNames": [bot["metadata"]["name"]],
            "verbs": ["get", "patch"],
        }
    ]


def test_what_is_advised_only_reads():
    assert {verb for rule in roles()["reconciler-careful"] for verb in rule["verbs"]} == {"get", "list"}


def test_each_role_is_bound_to_the_one_account():
    bound = {
        one["roleRef"]["name"]: [(who["kind"], who["name"], who["namespace"]) for who in one["subjects"]]
        for one in manifests("rbac.yaml")
        if one["kind"] == "RoleBinding"
    }
    assert bound == {name: [("ServiceAccount", "reconciler", "trading")] for name in roles()}


def test_the_bot_does_not_run_until_it_is_started_and_never_twice():
    (bot,) = manifests("bot.yaml")
    assert bot["spec"]["replicas"] == 0
    assert bot["spec"]["strategy"]["type"] == "Recreate"
    (container,) = bot["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "env" not in container, "a key stands in a Secret, never in the pod template"


def test_the_page_names_every_right_manager_and_option():
    for rules in roles().values():
        for rule in rules:
            assert all(resource in PAGE for resource in rule["resources"])
    for word in ("kustomize-controller", "argocd-application-controller", "ssa: IfNotPresent", "100 seconds"):
        assert word in PAGE
    assert "LOOKS: Final = 50" in DRIVER
    assert "PAUSE: Final = 2.0" in DRIVER
