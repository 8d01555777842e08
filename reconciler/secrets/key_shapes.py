"""What keys look like, exchange by exchange, each with the place where that can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_HEX8: Final = rb"[0-9a-f]{8}"
_UUID: Final = _HEX8 + rb"(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BEGIN: Final = rb"(?<![A-Za-z0-9_+/-])"
_END: Final = rb"(?![A-Za-z0-9_])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """``what`` a value is, in words with an article, and the ``pattern`` of the whole value.

    ``needle`` is a part of every such value, or of what names it: without it nothing is to be found.
    """

    what: str
    pattern: re.Pattern[bytes]
    needle: bytes = b""


#: "Identity": https://github.com/C2SP/C2SP/blob/main/age.md
AGE: Final = Shape(
    what="an age private key",
    pattern=re.compile(rb"AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58,2048}+"),
    needle=b"AGE-SECRET-KEY-",
)

#: Shapes that nothing else has, wherever they stand.
UNMISTAKABLE: Final = (
    # mx0 and 15 more: https://mexcdevelop.github.io/apidocs/spot_v3_en/ ("SIGNED"),
    # https://github.com/mexcdevelop/mexc-api-demo
    Shape(
        what="a MEXC API key",
        pattern=re.compile(_BEGIN + rb"mx0(?=[a-z]{0,16}[A-Z0-9])[A-Za-z0-9]{15,17}" + _END),
        needle=b"mx0",
    ),
    # Keys begin so; the documentation (https://www.bitget.com/api-doc/common/quick-start) shows none.
    Shape(what="a Bitget API key", pattern=re.compile(_BEGIN + rb"bg_[0-9a-f]{32}" + _END), needle=b"bg_"),
    # `apiKeyId`: https://coinbase.github.io/cdp-sdk/typescript/interfaces/JWT.JwtOptions.html
    Shape(
        what="a Coinbase API key",
        pattern=re.compile(rb"organizations/" + _UUID + rb"/apiKeys/" + _UUID + _END),
        needle=b"/apiKeys/",
    ),
    # Three parts, the first two of them JSON: https://www.rfc-editor.org/rfc/rfc7519 section 3.1
    Shape(
        what="a signed token (JWT)",
        pattern=re.compile(
            _BEGIN + rb"eyJ[A-Za-z0-9_-]{10,4096}+\.eyJ[A-Za-z0-9_-]{10,8192}+\.[A-Za-z0-9_-]{20,2048}+"
        ),
        needle=b".eyJ",
    ),
)

#: Words of lower case, upper case and digits that stand alone, by their length.
ALONE: Final[Mapping[int, Shape]] = {
    # https://developers.binance.com/docs/sub_account/api-management/Create-Sub-account-API-Key,
    # https://bingx-api.github.io/docs/spot/authentication.html
    64: Shape(
        what="an API key or secret as Binance and BingX issue them", pattern=re.compile(rb"[A-Za-z0-9]{64}")
    ),
    # https://bybit-exchange.github.io/docs/v5/user/create-subuid: `api_secret`
    36: Shape(what="an API secret as Bybit issues them", pattern=re.compile(rb"[A-Za-z0-9]{36}")),
    32: Shape(what="an API key or secret of 32 letters and digits", pattern=re.compile(rb"[A-Za-z0-9]{32}")),
    # https://support.kraken.com/hc/en-us/articles/360029054811: public key; private key, which the
    # Ed25519 keys of Coinbase look like (JwtOptions, above)
    56: Shape(what="an API key as Kraken issues them", pattern=re.compile(rb"[A-Za-z0-9+/]{56}")),
    88: Shape(
        what="a private key as Kraken and Coinbase issue them", pattern=re.compile(rb"[A-Za-z0-9+/]{86}==")
    ),
}

#: `AccessKeyId=e2xxxxxx-99xxxxxx-84xxxxxx-7xxxx`: https://huobius.readme.io/reference/private-api-requests
HTX: Final = Shape(
    what="an HTX access key or secret key",
    pattern=re.compile(rb"[0-9a-z]{8,10}-" + _HEX8 + rb"-" + _HEX8 + rb"-[0-9a-f]{5}"),
)

#: Shapes that many things have; they count shortly behind the exchange's name, the ``needle``.
BESIDE_NAME: Final = (
    # `kucoin-access-token`, `kucoin-secret-key`: https://github.com/gitleaks/gitleaks
    Shape(
        what="a KuCoin API key or secret",
        pattern=re.compile(rb"[0-9a-f]{24}|" + _UUID),
        needle=b"kucoin",
    ),
    # https://www.okx.com/docs-v5/en/#overview-rest-authentication
    Shape(what="an OKX API key or secret", pattern=re.compile(rb"[0-9A-F]{32}|" + _UUID), needle=b"okx"),
    # https://bybit-exchange.github.io/docs/v5/user/create-subuid: `api_key`
    Shape(what="a Bybit API key", pattern=re.compile(rb"[A-Za-z0-9]{18}"), needle=b"bybit"),
    # https://mexcdevelop.github.io/apidocs/spot_v3_en/ ("SIGNED")
    Shape(what="a MEXC API secret", pattern=re.compile(rb"[0-9a-f]{32}"), needle=b"mexc"),
    # As issued; https://www.gate.com/docs/developers/apiv4/ shows the first twelve digits of a key
    Shape(
        what="a Gate API key or secret",
        pattern=re.compile(rb"[0-9a-f]{32}|[0-9a-f]{64}"),
        needle=b"gate",
    ),
    # As issued; see the key of Bitget above
    Shape(what="a Bitget API secret", pattern=re.compile(rb"[0-9a-f]{64}"), needle=b"bitget"),
)
