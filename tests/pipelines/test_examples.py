"""The pipelines to copy: judged as the hosted services judge them, and their shell run for real."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from reconciler.cli.root import root
from reconciler.engine.health import Health
from reconciler.web.health import health_routes
from reconciler.web.server import parse_listen

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
WORKFLOWS = sorted((CI / "github").glob("*.yml"))
MANIFESTS = sorted((CI / "kubernetes").glob("*.yaml"))
#: Looked up in public workflows that name the same commit with the same tag.
PINS = {
    "actions/checkout": "08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
    "actions/setup-python": "e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0",
    "actions/upload-artifact": "ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
    "actions/download-artifact": "d3f86a106a0bac45b974a628896c90dbdf5c8093 # v4.3.0",
    "your-org/reconciler": f"{'0' * 40} # replace by a release's commit",
}


def load(path):
    """A workflow; YAML 1.1 reads its key ``on`` as true."""
    parsed = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in parsed.items()}


def jobs():
    return [
        pytest.param(load(path), name, job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
    ]


def audit(tool, *files, persona="pedantic"):
    code, out, err = tool("zizmor", "--offline", "--format=json", f"--persona={persona}", *map(str, files))
    assert all(f"completed {file}" in err for file in files), err
    return code, [found["ident"] for found in json.loads(out)]


def test_zizmor_finds_nothing(tool):
    assert audit(tool, ROOT / "action.yml", *WORKFLOWS) == (0, [])


def test_zizmors_strictest_eye_sees_the_runner_with_the_fixed_address_alone(tool):
    _, found = audit(tool, ROOT / "action.yml", *WORKFLOWS, persona="auditor")
    assert set(found) == {"self-hosted-runner"}


@pytest.mark.parametrize(
    ("old", "new", "ident"),
    [
        ("  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
        ("          persist-credentials: false\n", "", "artipacked"),
        ("permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
        ("checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "checkout@v5", "unpinned-uses"),
    ],
)
def test_zizmor_would_find_what_these_workflows_avoid(tool, tmp_path, old, new, ident):
    text = (CI / "github" / "pull-request.yml").read_text()
    assert old in text
    changed = tmp_path / "workflow.yml"
    changed.write_text(text.replace(old, new, 1))
    assert ident in audit(tool, changed)[1]


def blocks_of_the_readme():
    return re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_readmes_workflow_is_as_good(tool, tmp_path):
    (text,) = [block for block in blocks_of_the_readme() if block.startswith("on:")]
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(text)
    assert audit(tool, workflow, persona="regular") == (0, [])
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow))[0] == 0
    for name, pin in re.findall(r"uses: ([\w/-]+)@(\w+)", text):
        assert PINS[name].startswith(pin)


def test_the_readmes_pre_commit_configuration_is_one(tool, tmp_path):
    (text,) = [block for block in blocks_of_the_readme() if block.startswith("repos:")]
    config = tmp_path / ".pre-commit-config.yaml"
    config.write_text(text)
    assert tool("pre-commit", "validate-config", str(config))[0] == 0
    offered = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in yaml.safe_load(text)["repos"][0]["hooks"]} <= offered


@pytest.mark.parametrize(
    ("schema", "files", "more"),
    [
        ("vendor.github-actions", [ROOT / "action.yml"], []),
        ("vendor.github-workflows", WORKFLOWS, []),
        ("custom.github-workflows-require-timeout", WORKFLOWS, []),
        ("vendor.gitlab-ci", [CI / "gitlab" / ".gitlab-ci.yml"], ["--data-transform", "gitlab-ci"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_holds(tool, schema, files, more):
    assert files
    assert tool("check-jsonschema", "--builtin-schema", schema, *more, *map(str, files))[:2] == (
        0,
        "ok -- validation done\n",
    )


def test_every_action_is_pinned_to_a_commit_that_was_looked_up():
    for path in (ROOT / "action.yml", *WORKFLOWS):
        for line in re.findall(r"uses: (.+)", path.read_text()):
            name, _, pin = line.partition("@")
            assert PINS[name] == pin, line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_given_to_the_action_is_an_input_of_it(path):
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    outputs = yaml.safe_load((ROOT / "action.yml").read_text())["outputs"]
    for job in load(path)["jobs"].values():
        for step in job["steps"]:
            if step["uses"].startswith("your-org/"):
                assert step.get("with", {}).keys() <= inputs.keys()
    assert set(re.findall(r"steps\.\w+\.outputs\.([\w-]+)", path.read_text())) <= outputs.keys()


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_a_job_has_keys_or_a_token_that_writes_or_a_pull_request_and_never_two(workflow, name, job):
    reads_a_pull_request = "pull_request" in workflow["on"] and any(
        "checkout" in s["uses"] for s in job["steps"]
    )
    has_keys = "secrets." in json.dumps(job)
    writes = "write" in job["permissions"].values()
    assert reads_a_pull_request + has_keys + writes <= 1
    assert workflow["permissions"] == {}
    assert not any("run" in step for step in job["steps"])


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_keys_are_used_on_the_runner_with_the_fixed_address_behind_an_environment_alone(workflow, name, job):
    has_keys = "secrets." in json.dumps(job)
    assert has_keys == (job["runs-on"] == ["self-hosted", "fixed-address"])
    assert has_keys == ("environment" in job)
    assert not (
        has_keys
        and set(workflow["on"]) & {"pull_request", "pull_request_target", "workflow_run", "issue_comment"}
    )


def test_pull_requests_are_reviewed_without_any_condition():
    workflow = load(CI / "github" / "pull-request.yml")
    assert workflow["on"] == {"pull_request": None}
    assert "if" not in workflow["jobs"]["review"]  # a review that is skipped must not count as passed


def test_applies_wait_for_each_other_and_are_never_cancelled():
    assert load(CI / "github" / "apply.yml")["concurrency"]["cancel-in-progress"] is False


def test_the_audit_lets_no_exit_code_close_the_issue_but_0():
    workflow = load(CI / "github" / "drift.yml")
    assert workflow["jobs"]["issue"]["if"] == "${{ needs.audit.outputs.exit-code != '' }}"
    audit_step = workflow["jobs"]["audit"]["steps"][1]["with"]
    assert audit_step["command"] == "dry-run"


GITLAB = (CI / "gitlab" / ".gitlab-ci.yml").read_text().replace("!reference ", "")


@pytest.mark.parametrize("name", ["validate", "diff", "plan", "apply", "drift"])
def test_gitlab_shows_merge_requests_to_no_job_with_keys(name):
    job = yaml.safe_load(GITLAB)[name]
    keyless = name in {"validate", "diff"}
    assert job["extends"] == (".reconcile" if keyless else ".with-keys")
    assert ("merge_request_event" in json.dumps(job["rules"])) == keyless
    assert ("$CI_DEFAULT_BRANCH" in json.dumps(job["rules"])) == (name in {"plan", "apply"})


def manifests():
    return [part for path in MANIFESTS for part in yaml.safe_load_all(path.read_text())]


def pods():
    return [
        (m["spec"]["jobTemplate"]["spec"] if m["kind"] == "CronJob" else m["spec"])["template"]["spec"]
        for m in manifests()
        if m["kind"] in {"CronJob", "Deployment"}
    ]


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_takes_the_manifests(version):
    assert len(manifests()) == 3
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_pods_are_locked_down():
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["initContainers"], *pod["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"])
            assert "memory" in container["resources"]["limits"]


def test_the_age_key_is_a_file_that_its_reader_alone_reads():
    for pod in pods():
        (volume,) = [v for v in pod["volumes"] if "secret" in v]
        assert volume["secret"]["defaultMode"] == 0o400
        (reader,) = [c for c in (*pod["initContainers"], *pod["containers"]) if "/age" in json.dumps(c)]
        (mount,) = [m for m in reader["volumeMounts"] if m["name"] == volume["name"]]
        assert mount["readOnly"] is True
        assert not any("valueFrom" in item or "SECRET" in item["value"] for item in reader["env"])


def test_the_audit_runs_once_and_the_loop_has_one_writer():
    cron, claim, deployment = manifests()
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert cron["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert cron["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_loop_answers_the_probes_that_its_manifest_names():
    (container,) = manifests()[2]["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    (port,) = container["ports"]
    assert parse_listen(environment["RECONCILER_LISTEN"]).port == port["containerPort"]
    offered = health_routes(Health())
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[name]["httpGet"]
        assert asked["port"] == port["name"]
        assert asked["path"] in offered
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    known = {option for parameter in root.params for option in parameter.opts}
    assert {part.partition("=")[0] for part in container["command"][1:]} <= known
    variables = {parameter.envvar for parameter in root.params}
    assert {name for name in environment if name.startswith("RECONCILER_")} <= variables


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("there is no systemd on this machine to ask")
    text = (ROOT / "examples" / "watch" / "reconciler.service").read_text()
    assert re.search(r"^Type=notify$", text, re.MULTILINE)
    command = re.search(r"^ExecStart=(\S+) (.*)$", text, re.MULTILINE)
    assert {part for part in command[2].split() if part.startswith("--")} <= {
        option for parameter in root.params for option in parameter.opts
    }
    unit = tmp_path / "reconciler.service"
    unit.write_text(text.replace(command[1], "/bin/true").replace("=reconciler\nGroup=reconciler", "=root"))
    done = subprocess.run([tool, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "reconciler.service" in line]
    assert about_ours == []


def test_code_owners_guard_who_can_decrypt_and_what_runs_with_keys():
    owned = re.findall(r"^(\S+)\s+@", (CI / "CODEOWNERS").read_text(), re.MULTILINE)
    assert {".sops.yaml", "/connections.yaml", "/secrets/", "/.github/", "/.gitlab-ci.yml"} <= set(owned)
