"""What looks like a secret at first sight and is none is not told, or nobody would read what is."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.secrets.lookalike import lookalikes

KEY = b"0123456789abcdef"
ROOT = Path(__file__).parents[2]


def whats(text: str) -> list[str]:
    return [one.what for one in lookalikes(text.encode(), key=KEY)]


def digest(name: str, *, encode: bool = False) -> str:
    raw = hashlib.new(name, b"x").digest()
    return base64.b64encode(raw).decode() if encode else raw.hex()


@pytest.mark.parametrize(
    "text",
    [
        "api_key: ...",
        'secret: "xxxxxxxxxxxxxxxxxxxxxxxx"',
        "api_key: <your-api-key-1234567>",
        "API_SECRET=${BINANCE_API_SECRET_2}",
        "API_SECRET=$BINANCE_API_SECRET",
        "secret: {{ vault_binance_secret_2 }}",
        "api_key: your-api-key-goes-here-1",
        "password: changeme1",
        'passphrase: "example-Pass1"',
        "secret: e2xxxxxx-99xxxxxx-84xxxxxx-7xxxx",
        'secret = os.environ["BINANCE_API_SECRET2"]',
        'secret = os.getenv("BINANCE_API_SECRET2")',
        "secret: ${{ secrets.BINANCE_SECRET_2 }}",
        "const secret = process.env.BINANCE_SECRET_2;",
        "credentials: secrets/mexc-spot-main-2.sops.yaml",
        "secret: secrets/mexc-spot-main-2.sops.yaml",
        "secret: /run/secrets/binance-main-2",
        "api_key: op://vault/binance2/credential",
        "token: https://example.com/oauth2/token?version=2",
        "secret: reconciler-keys-2026-11",
        "secretName: Ab3Cd4Ef5Gh6Ij7K",
        "api_key = self._binance_api_key2",
        "api_key=config.exchange2.api_key, secret=config.exchange2.secret",
        "def connect(api_key: str, secret: Secret, password: SecretStr) -> None:",
        "passphrase: Optional[Passphrase2] = None",
        "private_get_api_key = v2PrivateGetUserApiKey = Entry('user/api-key')",
        "password = getpass.getpass('Password: ')",
        "password: string; passphrase?: FormControl;",
        '"password": "Kennwort", "passphrase": "Contraseña", "secret": "Geheimnis"',
        '"forgotPassword": "Forgot your password? Click here to get 1 new."',
        "The passphrase: between 8 and 32 letters and digits, chosen by you.",
        "keys: the API key, the secret: see docs/exchanges/okx.md",
        "if secret == expected_secret_2:",
        "cache_key: " + digest("sha256"),
        "token: " + "0x" + digest("sha1"),
        "token: EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        "encrypted_regex: ^(api_key|secret|passphrase|private_key)$",
    ],
)
def test_fields_that_hold_none(text):
    assert whats(text) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "commit " + digest("sha1"),
        lambda _: "\n".join(digest(name) for name in ("md5", "sha1", "sha256", "sha512")),
        lambda _: "requests==2.32.3 \\\n    --hash=sha256:" + digest("sha256"),
        lambda _: f'      "integrity": "sha512-{digest("sha512", encode=True)}",',
        lambda _: "  resolved x\n  integrity sha512-" + digest("sha512", encode=True),
        lambda _: f'        "contentHash": "{digest("sha512", encode=True)}",',
        lambda _: "golang.org/x/net v0.1.0 h1:" + digest("sha256", encode=True),
        lambda _: f"pip/__init__.py,sha256={digest('sha256', encode=True).rstrip('=')},513",
        lambda _: f'checksum = "{digest("sha256")}"',
        lambda m: f"id: {m.uuid()}",
        lambda m: f"txId: {m.draw(m.ALNUM, 32)}",
        lambda _: "age1xlrrx5juq8xpt4ty4rd8hy2s83dqp2064u9phylm2ztgy224rpeq2v3xm5",
        lambda m: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{m.draw(m.BASE64, 48)} me@host",
        lambda m: f"ssh-ed25519 {m.draw(m.ALNUM, 64)} me@host",
        lambda m: m.pem("PUBLIC KEY"),
        lambda m: m.pem("CERTIFICATE"),
        lambda m: m.pem("PGP MESSAGE"),
        lambda m: m.pem("PGP PUBLIC KEY BLOCK"),
        lambda m: m.pem("AGE ENCRYPTED FILE"),
        lambda _: "-----BEGIN EC PRIVATE KEY-----\n…\n-----END EC PRIVATE KEY-----",
        lambda _: 'if "-----BEGIN PRIVATE KEY-----" in text:',
        lambda _: "AGE-SECRET-KEY-1...",
        lambda _: "AGE-SECRET-" + "KEY-1" + "Q" * 58,
        lambda m: "\n".join(m.draw(m.ALNUM, 64) for _ in range(4)),
        lambda m: f'<img src="data:image/png;base64,{m.draw(m.BASE64, 300)}">',
        lambda _: "[203.0.113.10, 198.51.100.7, 2001:db8:85a3:0000:0000:8a2e:0370:7334]",
        lambda m: f"0x{m.draw(m.HEX, 40)}",
        lambda _: "AbstractSingletonProxyFactoryBean2Ts",
        lambda _: "eyJhbGciOiJIUzI1NiIsInR5cCI6Ikp2",
        lambda m: f"enc: vault:v1:{m.draw(m.ALNUM, 32)}",
        lambda _: f"investigate the aggregate key {digest('md5')}",
    ],
)
def test_other_things_that_look_random(made_up, make):
    assert whats(f"{make(made_up(3))}\n") == []


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "the",
                    "of",
                    "key",
                    "secret",
                    "api",
                    "token",
                    "password",
                    "trading",
                    "2026",
                    "MEXC",
                    "KuCoin",
                ]
            ),
            st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=14),
            st.integers(0, 99999).map(str),
        ),
        max_size=60,
    ).map(" ".join)
)
@example("the passphrase of the api key: the secret is the token")
def test_prose_has_none(text):
    assert whats(text) == []


@given(st.binary(max_size=400))
def test_any_bytes_are_taken(blob):
    assert isinstance(lookalikes(blob, key=KEY), tuple)


#: What stands in this repository on purpose, besides the made-up keys of the tests.
ON_PURPOSE = {
    "examples/all-exchanges/sandbox.yaml": 21,
    "examples/demo.agekey": 1,
    "examples/runtimes/freqtrade/config.json": 2,
    "examples/runtimes/freqtrade/sandbox.yaml": 2,
    "examples/sandbox.yaml": 13,
}


def test_this_repository_holds_only_what_it_means_to():
    listed = subprocess.run(
        [shutil.which("git") or "git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    files = [name for name in listed.decode().split("\0") if name and not name.startswith("tests/")]
    if not files:
        pytest.skip("no git checkout")
    counted = Counter(
        {
            name: len(lookalikes((ROOT / name).read_bytes(), key=KEY))
            for name in files
            if (ROOT / name).is_file()
        }
    )
    assert dict(+counted) == ON_PURPOSE


def test_these_tests_themselves_hold_none():
    for name in ("conftest.py", "test_lookalike.py", "test_lookalike_no_secret.py", "test_textconv.py"):
        assert whats((Path(__file__).parent / name).read_text(encoding="utf-8")) == [], name
