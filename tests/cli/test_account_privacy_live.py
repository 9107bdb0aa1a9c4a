"""`hupan account privacy` with a running server (security D4)."""

from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.console import call
from tests.support.servers import Server

pytestmark = pytest.mark.slow


def test_a_running_server_knows_at_once(tmp_path: Path) -> None:
    """A hidden part is absent for others from the next request on."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        account, viewer = client.account(), client.account().token
        body = {"birthday": 946_684_800}
        saved = client.post("user/save-user-data", body, token=account.token)
        assert saved.code == 1, saved.msg
        before = client.get_user(account.id, token=viewer).body
        call(folder, "account", "privacy", account.id, "--birthday", "hide")
        assert client.get_user(account.id, token=viewer).body != before
