"""Whom the driver speaks to and as whom: kubeconfigs, ServiceAccounts, TLS with a CA of one's own."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from kubernetes_fake import NAMESPACE, FakeApi

from reconciler.model.desired import RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed, UsageError
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.kubeconfig import Kubeconfig, parse_kubeconfigs
from reconciler.runtimes.kubernetes import Kubernetes
from reconciler.runtimes.kubernetes_access import Access, ClientCertificate, in_cluster

CANARY = "canary-7fK2-do-not-show"
MARK = Mark(file="connections.yaml", line=9)
NOW = dt.datetime.now(dt.UTC)


class Authority:
    """A CA that signs for loopback addresses and for clients."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of our own")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        built = self._builder(self.name, self.key).add_extension(basic, critical=True)
        self.pem = _pem(built.add_extension(usage, critical=True).sign(self.key, hashes.SHA256()))

    def issue(self, *, client: bool = False) -> tuple[bytes, bytes]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reconciler")])
        use = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        at = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        built = self._builder(name, key).add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        built = built.add_extension(at, critical=False).add_extension(own, critical=False)
        return _pem(built.sign(self.key, hashes.SHA256())), key_pem(key)

    def _builder(self, name, key):
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key, encryption=None):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def api():
    api = FakeApi(CANARY)
    api.add("deployments", "bot", replicas=1)
    return api


@pytest.fixture
async def serve_tls(authority, api, tmp_path):
    """Starts the API server behind TLS; gives its port. ``clients``: only with a certificate of the CA."""
    runners = []

    async def start(*, clients=False):
        chain, key = authority.issue()
        (tmp_path / "server.pem").write_bytes(chain + key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem.decode())
        context.load_cert_chain(tmp_path / "server.pem")
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", api.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        runners.append(runner)
        return runner.addresses[0][1]

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def write(tmp_path):
    """Writes a kubeconfig with one cluster and user; gives what the operator names it by."""

    def one(cluster, user, **more):
        config = {
            "kind": "Config",
            "current-context": "ctx",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "ctx", "context": {"cluster": "c", "user": "u"}}],
        } | more
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(config))
        return Kubeconfig(path=str(path))

    return one


@pytest.fixture
async def read():
    """What a driver with this kubeconfig, or in this cluster, reads."""

    async def read(kubeconfig=None, environ=None, folder=None, between=None):
        strategy = Strategy(
            id="s", name="s", connection="c", runtime="k8s", enabled=True, pairs=("BTC/USDT",),
            parameters={"settings": {"workload": "deployment/bot"}}, mark=MARK,
        )  # fmt: skip
        opening = Opening(
            spec=RuntimeSpec(id="k8s", type="kubernetes", mark=MARK, options={"namespace": NAMESPACE}),
            state=None,
            wanted={"s": strategy},
            kubeconfig=kubeconfig,
            environ=environ or {},
        )
        driver = Kubernetes(opening, *([folder] if folder else []))
        try:
            if between:
                await driver.read()
                between()
            return {name: one.enabled for name, one in (await driver.read()).items()}
        finally:
            await driver.close()

    return read


def b64(content):
    return base64.b64encode(content).decode()


def refusal(kubeconfig):
    with pytest.raises(RuntimeFailed) as caught:
        kubeconfig.access().tls()
    assert (caught.value.kind, caught.value.untouched) == (Kind.LOCKED, True)
    assert caught.value.hint
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"
    return str(caught.value)


HTTPS = {"server": "https://127.0.0.1:1"}
TOKEN = {"token": CANARY}


class TestTls:
    @pytest.mark.parametrize("inline", [True, False])
    async def test_the_ca_of_the_kubeconfig_is_trusted(self, serve_tls, authority, write, read, inline):
        Path(write({}, {}).path).with_name("ca.pem").write_bytes(authority.pem)
        trusted = {"certificate-authority-data": b64(authority.pem)}
        cluster = {"server": f"https://127.0.0.1:{await serve_tls()}"}
        cluster |= trusted if inline else {"certificate-authority": "ca.pem"}
        assert await read(write(cluster, TOKEN)) == {"s": True}

    @pytest.mark.parametrize("own", [True, False])
    async def test_no_other_is_and_no_token_goes_there(self, serve_tls, api, write, read, own):
        cluster = {"server": f"https://127.0.0.1:{await serve_tls()}"}
        if own:
            cluster["certificate-authority-data"] = b64(Authority().pem)
        with pytest.raises(RuntimeFailed) as caught:
            await read(write(cluster, TOKEN))
        assert (caught.value.kind, caught.value.untouched) == (Kind.UNREACHABLE, True)
        assert "certificate" in str(caught.value)
        assert api.asked == []

    async def test_a_ca_of_ones_own_replaces_those_of_the_machine(self, authority):
        access = Access(url="https://x", authority=authority.pem.decode())
        assert len(access.tls().get_ca_certs()) == 1

    @pytest.mark.parametrize("inline", [True, False])
    async def test_a_client_certificate_is_shown(self, serve_tls, authority, write, read, inline):
        chain, key = authority.issue(client=True)
        folder = Path(write({}, {}).path).parent
        (folder / "me.crt").write_bytes(chain)
        (folder / "me.key").write_bytes(key)
        user = {"client-certificate": "me.crt", "client-key": str(folder / "me.key")}
        if inline:
            user = {"client-certificate-data": b64(chain), "client-key-data": b64(key)}
        cluster = {
            "server": f"https://127.0.0.1:{await serve_tls(clients=True)}",
            "certificate-authority-data": b64(authority.pem),
        }
        assert await read(write(cluster, user | TOKEN)) == {"s": True}
        with pytest.raises(RuntimeFailed) as caught:
            await read(write(cluster, TOKEN))
        assert caught.value.kind is Kind.UNREACHABLE

    def test_its_key_is_never_in_a_new_file_nor_shown(self, authority, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        open_before = len(list(Path("/dev/fd").iterdir()))
        chain, key = authority.issue(client=True)
        access = Access(url="https://x", certificate=ClientCertificate(chain=chain, key=key))
        assert access.tls() is not None
        assert list(tmp_path.iterdir()) == []
        assert len(list(Path("/dev/fd").iterdir())) == open_before
        assert "PRIVATE KEY" not in repr(access)

    @pytest.mark.parametrize("wrong", ["other", "encrypted", "garbage", "endless"])
    def test_one_that_cannot_be_used_is_refused_without_asking_anybody(self, authority, write, wrong):
        chain, key = authority.issue(client=True)
        made = ec.generate_private_key(ec.SECP256R1())
        key = {
            "other": key_pem(made),
            "encrypted": key_pem(made, serialization.BestAvailableEncryption(b"x")),
            "garbage": CANARY.encode(),
            "endless": key * 1000,
        }[wrong]
        user = {"client-certificate-data": b64(chain), "client-key-data": b64(key)}
        assert "client certificate cannot be used" in refusal(write(HTTPS, user))


class TestKubeconfig:
    @pytest.mark.parametrize("field", ["exec", "auth-provider", "username", "as", "as-groups"])
    def test_users_that_start_programs_or_act_as_others_are_refused(self, write, field):
        value = {"command": CANARY} if field in {"exec", "auth-provider"} else CANARY
        assert "its user" in refusal(write(HTTPS, TOKEN | {field: value}))

    def test_an_exec_plugin_is_refused_in_plain_words(self, write):
        told = refusal(write(HTTPS, {"exec": {"apiVersion": "v1", "command": "aws"}}))
        assert "this tool starts no program to get credentials" in told

    @pytest.mark.parametrize(
        "more",
        [{"insecure-skip-tls-verify": True}, {"proxy-url": "http://x"}, {"tls-server-name": "x"}],
    )
    def test_clusters_that_are_not_verified_or_not_reached_directly_are_refused(self, write, more):
        assert "its cluster" in refusal(write(HTTPS | more, TOKEN))

    @pytest.mark.parametrize(
        "server",
        ["http://10.0.0.1:6443", "ftp://127.0.0.1", "127.0.0.1:6443", "https://u:p@x", "", "https://[::1",
         "https://x/?a=b", "http://127.0.0.1.evil.test"],
    )  # fmt: skip
    def test_a_server_that_credentials_would_reach_in_clear_is_refused(self, write, server):
        refusal(write({"server": server}, TOKEN))

    @pytest.mark.parametrize("server", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:1"])
    def test_this_machine_is_reached_in_clear(self, write, server):
        assert write({"server": server}, {}).access().tls() is None

    @pytest.mark.parametrize(
        "more",
        [{"current-context": ""}, {"current-context": "other"}, {"clusters": []}, {"users": "x"},
         {"contexts": [7]}, {"kind": "Pod"}],
    )  # fmt: skip
    def test_what_names_nothing_is_refused(self, write, more):
        refusal(write(HTTPS, TOKEN, **more))

    @pytest.mark.parametrize("text", ["a: [", "- x", "", "\x00", "!!python/object/apply:os.abort []"])
    def test_what_is_no_kubeconfig_is_refused(self, tmp_path, text):
        (tmp_path / "config").write_text(text)
        refusal(Kubeconfig(path=str(tmp_path / "config")))

    @pytest.mark.parametrize("path", ["~nobody-of-that-name/config", "a\0b"])
    def test_a_path_that_is_none_is_refused(self, path):
        assert "cannot be read" in refusal(Kubeconfig(path=path))

    def test_what_is_not_there_or_too_large_is_refused(self, tmp_path):
        assert "cannot be read" in refusal(Kubeconfig(path=str(tmp_path / "none")))
        assert "too large" in refusal(Kubeconfig(path="/dev/zero"))

    @pytest.mark.parametrize(
        "user",
        [{"client-key-data": b64(b"x")}, {"client-certificate-data": b64(b"x")}, {"client-key-data": "%"}],
    )
    def test_half_a_certificate_is_refused(self, write, user):
        refusal(write(HTTPS, user))

    def test_a_ca_that_is_none_is_refused(self, write):
        assert "CA" in refusal(write(HTTPS | {"certificate-authority-data": b64(b"x")}, TOKEN))

    def test_the_named_context_outranks_the_current_one(self, write):
        contexts = [
            {"name": "ctx", "context": {"cluster": "none", "user": "none"}},
            {"name": "arn:aws:eks:eu:1:cluster/x", "context": {"cluster": "c"}},
        ]
        path = write(HTTPS, TOKEN, contexts=contexts).path
        access = Kubeconfig(path=path, context="arn:aws:eks:eu:1:cluster/x").access()
        assert (access.url, access.token) == ("https://127.0.0.1:1", None)

    @pytest.mark.parametrize("token", ["two words", "a\r\nX-Evil: 1", "", "é"])
    def test_a_token_that_could_break_a_header_is_refused(self, write, tmp_path, token):
        (tmp_path / "token").write_text(token)
        with pytest.raises(RuntimeFailed) as caught:
            write(HTTPS, {"tokenFile": "token"}).access().token()
        assert caught.value.kind is Kind.LOCKED

    def test_a_file_of_a_token_is_read_anew_and_outranks_one_in_place(self, write, tmp_path):
        (tmp_path / "token").write_text("first\n")
        token = write(HTTPS, TOKEN | {"tokenFile": "token"}).access().token
        assert token() == Secret("first")
        (tmp_path / "token").write_text("second\n")
        assert token() == Secret("second")


class TestInCluster:
    @pytest.fixture
    def folder(self, tmp_path, authority):
        (tmp_path / "ca.crt").write_bytes(authority.pem)
        (tmp_path / "token").write_text(CANARY)
        return tmp_path

    async def test_a_pod_finds_its_own_cluster(self, serve_tls, read, folder):
        port = await serve_tls()
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        assert await read(environ=environ, folder=folder) == {"s": True}

    async def test_a_token_that_was_renewed_is_used_from_then_on(self, serve_tls, api, read, folder):
        def renew():
            api.token = "renewed"
            (folder / "token").write_text("renewed")

        port = await serve_tls()
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        assert await read(environ=environ, folder=folder, between=renew) == {"s": True}

    async def test_what_the_operator_names_outranks_the_cluster_of_the_pod(self, read, write, folder):
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
        with pytest.raises(RuntimeFailed) as caught:
            await read(write(HTTPS, {"exec": {}, "as": "x"}), environ=environ, folder=folder)
        assert caught.value.kind is Kind.LOCKED

    def test_addresses_of_the_sixth_version_are_written_as_urls_have_them(self, folder):
        assert in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, folder).url == "https://[fd00::1]:443"

    async def test_elsewhere_nothing_is_guessed(self, read):
        with pytest.raises(RuntimeFailed) as caught:
            await read(environ={"KUBECONFIG": "/somewhere"})
        assert (caught.value.kind, caught.value.untouched) == (Kind.LOCKED, True)
        assert "--kubeconfig" in caught.value.hint

    async def test_a_pod_without_its_token_is_told_so(self, read, folder):
        (folder / "ca.crt").unlink()
        with pytest.raises(RuntimeFailed) as caught:
            await read(environ={"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, folder=folder)
        assert "ServiceAccount" in str(caught.value)


class TestOption:
    def test_one_for_all_and_others_by_runtime(self):
        assert parse_kubeconfigs(["/a", "eu=/b:ctx", "us=~/c:arn:aws:x=y"]) == {
            "": Kubeconfig(path="/a"),
            "eu": Kubeconfig(path="/b", context="ctx"),
            "us": Kubeconfig(path="~/c", context="arn:aws:x=y"),
        }

    @pytest.mark.parametrize("values", [[""], [":ctx"], ["eu="], ["/a", "/b"], ["eu=/a", "eu=/b"]])
    def test_what_says_nothing_or_twice_is_refused(self, values):
        with pytest.raises(UsageError) as caught:
            parse_kubeconfigs(values)
        assert caught.value.hint
