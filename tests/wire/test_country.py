"""The country of the last sign-in over HTTP (wire.md 3, ipGeo)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.mmdb_files import write_mmdb
from tests.support.servers import Server
from tests.support.stores import EngineName

pytestmark = pytest.mark.slow

BEHIND_A_PROXY = {
    "HUPAN_TRUSTED_PROXIES": "127.0.0.1/32",
    "HUPAN_CLIENT_IP_HEADER": "x-forwarded-for",
}
CHINA, HONG_KONG, PRIVATE, IPV6 = "223.5.5.5", "202.81.252.1", "192.168.1.1", "2400:3200::1"


@pytest.fixture(scope="module")
def proxied(engine: EngineName) -> Iterator[WireClient]:
    """Yield a client that is a trusted proxy of its server."""
    del engine  # the other engine has a separate server
    with Server("sandbox", environment=BEHIND_A_PROXY) as server, WireClient(server) as wire:
        yield wire


def country(wire: WireClient, user_id: str) -> str:
    """Return the country that other users see."""
    return wire.get_user(user_id).pb_data.text(20)


def sign_in(wire: WireClient, mobile: str, address: str) -> str:
    """Sign in from an address and return the account's id."""
    body = {"mobile": mobile, "captcha": wire.sms_code(mobile)}
    answer = wire.post("user/verification-login", body, headers={"x-forwarded-for": address})
    return wire.own_info(answer.text("token")).pb_data.text(1)


@pytest.mark.parametrize(
    ("address", "name"),
    [(CHINA, "中国"), (HONG_KONG, "中国香港"), (PRIVATE, ""), (IPV6, ""), ("a", ""), ("", "")],
)
def test_the_country_of_the_sign_in_is_shown(proxied: WireClient, address: str, name: str) -> None:
    """The trusted proxy's address decides; without a country the field is empty."""
    assert country(proxied, sign_in(proxied, proxied.fresh_phone(), address)) == name


def test_it_is_that_of_the_last_sign_in(proxied: WireClient) -> None:
    """The next sign-in replaces it, even by nothing; other requests do not."""
    mobile = proxied.fresh_phone()
    user_id = sign_in(proxied, mobile, CHINA)
    token = proxied.signed_in(mobile)
    assert country(proxied, user_id) == ""
    sign_in(proxied, mobile, HONG_KONG)
    assert proxied.own_info(token, headers={"x-forwarded-for": CHINA}).code == 1
    assert country(proxied, user_id) == "中国香港"


def test_a_password_sets_it_too(proxied: WireClient) -> None:
    """A sign-in by password sets it too; a failed one changes nothing."""
    email, password = proxied.fresh_email(), "correct horse"
    account = proxied.account(email=email, password=password)
    assert country(proxied, account.id) == ""
    body = {"email": email, "password": password}
    proxied.post("user/email-login", body, headers={"x-forwarded-for": CHINA})
    assert country(proxied, account.id) == "中国"
    wrong = {"email": email, "password": "wrong"}
    proxied.post("user/email-login", wrong, headers={"x-forwarded-for": HONG_KONG})
    assert country(proxied, account.id) == "中国"


@pytest.mark.one_engine
def test_no_client_chooses_it_without_a_proxy(wire: WireClient) -> None:
    """The header of an untrusted peer is ignored (security I10)."""
    for header in ("x-forwarded-for", "x-real-ip", "forwarded", "client-ip"):
        mobile = wire.fresh_phone()
        body = {"mobile": mobile, "captcha": wire.sms_code(mobile)}
        answer = wire.post("user/verification-login", body, headers={header: CHINA})
        assert country(wire, wire.own_info(answer.text("token")).pb_data.text(1)) == ""


@pytest.mark.one_engine
def test_a_database_of_ones_own(tmp_path: Path) -> None:
    """The setting country_database replaces the bundled table, with IPv6."""
    records = {"223.0.0.0/8": {"country_code": "JP"}, "2400::/16": {"country_code": "TW"}}
    path = write_mmdb(tmp_path / "own.mmdb", records)
    environment = {**BEHIND_A_PROXY, "HUPAN_COUNTRY_DATABASE": str(path)}
    with Server("sandbox", environment=environment) as server, WireClient(server) as wire:
        told = [
            country(wire, sign_in(wire, wire.fresh_phone(), address))
            for address in (CHINA, IPV6, HONG_KONG)
        ]
    assert told == ["日本", "中国台湾", ""]


@pytest.mark.one_engine
def test_a_database_that_is_none_keeps_the_server_down(tmp_path: Path) -> None:
    """The message says why, and the server does not start."""
    path = tmp_path / "own.mmdb"
    path.write_bytes(b"nothing")
    environment = {"HUPAN_COUNTRY_DATABASE": str(path)}
    with (
        pytest.raises(RuntimeError, match="应为 MMDB 格式的国家数据库"),
        Server("sandbox", environment=environment),
    ):
        pytest.fail("it started")
