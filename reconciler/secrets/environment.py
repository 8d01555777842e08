"""The environment that sops gets: what it needs to find keys, and nothing that could be stolen with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from reconciler.model.desired import Policy

_ALWAYS: Final = (
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "GNUPGHOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SOPS_AGE_KEY",
    "SOPS_AGE_KEY_FILE",
    "SOPS_AGE_KEY_CMD",
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
    "SOPS_GPG_EXEC",
    "SOPS_DECRYPTION_ORDER",
    "SOPS_ENABLE_LOCAL_KEYSERVICE",
    "SOPS_KEYSERVICE",
)

_PATHS: Final = frozenset({"SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "GNUPGHOME"})

#: What a key service needs, passed on only where policy names a recipient of its group.
_BY_GROUP: Final[Mapping[str, tuple[str, ...]]] = {
    "kms": ("AWS_",),
    "gcp_kms": ("GOOGLE_", "GCLOUD_", "CLOUDSDK_", "SOPS_GCP_KMS_"),
    "azure_kv": ("AZURE_",),
    "hc_vault": ("VAULT_",),
    "hckms": ("HUAWEICLOUD_",),
}

#: How any key service is reached.
_REMOTE: Final = frozenset(
    {
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "https_proxy",
        "http_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
)


def child_environment(environ: Mapping[str, str], policy: Policy) -> dict[str, str]:
    """The variables of ``environ`` that sops may see under ``policy``, and those that keep it quiet.

    Credentials of a cloud or of Vault are left out unless policy names a recipient there. Where
    it names no Vault, a worthless token stands in for one, because sops would else read
    ``~/.vault-token`` and send it to whichever address the file names.
    """
    groups = {group for group, names in policy.recipients.items() if names}
    prefixes = tuple(prefix for group in groups for prefix in _BY_GROUP.get(group, ()))
    remote = _REMOTE if prefixes else frozenset()
    child = {
        name: value
        for name, value in environ.items()
        if name in _ALWAYS or name in remote or (prefixes and name.startswith(prefixes))
    }
    for name in _PATHS & child.keys():
        if not child[name]:
            # Empty means unset to gpg; made absolute it would be this folder, and bring its own agent.
            del child[name]
            continue
        # sops runs in the folder /, where a relative path would lead elsewhere.
        child[name] = os.path.abspath(child[name])  # noqa: PTH100 - Path keeps `..` segments
    child["PATH"] = _absolute(environ.get("PATH", ""))
    child["SOPS_DISABLE_VERSION_CHECK"] = "1"
    child["SOPS_HC_VAULT_ALLOWLIST"] = _vaults(policy)
    if "hc_vault" not in groups:
        child["VAULT_TOKEN"] = "withheld"  # noqa: S105 - it keeps the real one from being read
    # One thread and no collector halve the time of so short a process.
    child["GOMAXPROCS"] = "1"
    child["GOGC"] = "off"
    return child


def _absolute(path: str) -> str:
    """PATH without relative entries, through which a reviewed tree could bring its own ``gpg``."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if os.path.isabs(entry))  # noqa: PTH117


def _vaults(policy: Policy) -> str:
    """SOPS_HC_VAULT_ALLOWLIST, which sops 3.13 introduced with the default ``all``."""
    servers = (urlsplit(name) for name in policy.recipients.get("hc_vault", ()))
    return ",".join(sorted({f"{server.scheme}://{server.netloc}/" for server in servers})) or "none"
