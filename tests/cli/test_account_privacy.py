"""`hupan account privacy`: operators choose for an account what others see (security D4)."""

from pathlib import Path

import pytest

from tests.support.console import call, refused, run

pytestmark = pytest.mark.slow


PRIVACY = ("account", "privacy", "1000001")
DEFAULTS = {
    "id": "1000001",
    "nickname": "湖边",
    "birthday": "default",
    "address": "default",
    "lastActive": "default",
    "country": "default",
    "search": "default",
    "shown": ["birthday", "address", "lastActive", "country", "search"],
}


@pytest.fixture(autouse=True)
def _account(data: Path) -> None:
    """Create an account without its own choice."""
    call(data, "account", "create", "--nickname", "湖边")


def test_it_is_shown(data: Path) -> None:
    """Without options nothing is set; the output is a table."""
    assert call(data, *PRIVACY) == DEFAULTS
    table = run(data, *PRIVACY).stdout
    assert all(word in table for word in ("生日", "default", "他人可见", "lastActive"))


def test_parts_are_set_one_by_one(data: Path) -> None:
    """Parts that are not named stay; `default` follows the server's setting again."""
    hidden = call(data, *PRIVACY, "--birthday", "hide", "--last-active", "hide")
    assert hidden == {
        **DEFAULTS,
        "birthday": "hide",
        "lastActive": "hide",
        "shown": ["address", "country", "search"],
    }
    mixed = call(data, *PRIVACY, "--birthday", "default", "--country", "show", "--address", "hide")
    assert mixed == {
        **DEFAULTS,
        "address": "hide",
        "lastActive": "hide",
        "country": "show",
        "shown": ["birthday", "country", "search"],
    }
    assert call(data, *PRIVACY) == mixed


def test_the_default_is_the_servers(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that follows the server is shown with the server's value."""
    monkeypatch.setenv("HUPAN_SHOW_BIRTHDAY", "false")
    assert call(data, *PRIVACY)["shown"] == ["address", "lastActive", "country", "search"]
    assert call(data, *PRIVACY, "--birthday", "show")["shown"] == DEFAULTS["shown"]


def test_what_cannot_be(data: Path) -> None:
    """An unknown account is one sentence; an unknown value is a usage error."""
    assert "该用户不存在" in refused(data, "account", "privacy", "1000009", "--birthday", "hide")
    assert run(data, *PRIVACY, "--birthday", "maybe").exit_code == 2
