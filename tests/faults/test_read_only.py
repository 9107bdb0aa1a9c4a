"""A read-only disk is refused at the start; later nothing is written (R04)."""

import os
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from hupan.config import Settings
from hupan.opening import StartRefused, prepared_store
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase, connect
from tests.model.inprocess_server import InProcessServer
from tests.support import pb

NOBODY = 65534
STORE_UNAVAILABLE = 1001
pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


@contextmanager
def powerless() -> Iterator[None]:
    """Drop root's rights, because file modes do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a store that every user may read and only its owner may write."""
    folder = Path(tempfile.mkdtemp(prefix="hupan-test-"))
    migrate_file(folder / "hupan.db")
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def refusal(folder: Path) -> str:
    """Return the message of a refused start."""
    with (
        powerless(),
        pytest.raises(StartRefused) as caught,
        prepared_store(Settings(data_dir=folder)),
    ):
        pass
    return str(caught.value)


def test_a_file_that_is_read_only(folder: Path) -> None:
    """The server does not start if it cannot write the file, and names it (R04)."""
    (folder / "hupan.db").chmod(0o444)
    folder.chmod(0o777)
    reason = f"cannot read and write {folder / 'hupan.db'}: Permission denied"
    assert refusal(folder).endswith(reason)
    assert "cannot read and write" in refusal(folder)


def test_a_folder_that_is_read_only(folder: Path) -> None:
    """It does not start either if it cannot create files in the folder (R04)."""
    (folder / "hupan.db").chmod(0o666)
    folder.chmod(0o555)
    assert f"cannot write to {folder}" in refusal(folder)


def test_a_disk_that_becomes_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads work, writes are refused, `/readyz` is red, and the server recovers by itself (R04).

    The store answers SQLITE_READONLY to every write, as it does after its disk was remounted.
    """
    connections: list[apsw.Connection] = []

    def open_file(path: Path) -> apsw.Connection:
        connections.append(connect(path))
        return connections[-1]

    monkeypatch.setattr("hupan.opening.SqliteDatabase", lambda p: SqliteDatabase(p, open_file))
    served = InProcessServer(tmp_path / "served")
    try:
        token = _sign_up(served)
        _set(connections, "ON")
        assert _rename(served, token, "first") == STORE_UNAVAILABLE
        assert _ready(served) == 503
        info = served.get("user/info", token)
        assert info.code == 1
        assert info.pb_data.text(2) != "first"
        assert served.rows("SELECT count(*) FROM accounts WHERE name = 'first'") == [(0,)]
        _set(connections, "OFF")
        assert _ready(served) == 200
        assert _rename(served, token, "second") == 1
    finally:
        served.close()


def _sign_up(served: InProcessServer) -> str:
    phone = "13900000001"
    body = {"mobile": phone, **served.solved()}
    assert served.post("verification/get-verification-code", body).code == 1
    code = served.letters()[0].code
    login = {"mobile": phone, "captcha": code, "deviceId": "d"}
    return served.post("user/verification-login", login).text("token")


def _rename(served: InProcessServer, token: str, name: str) -> int:
    return served.post("user/edit-nickname", pb.text(3, name), token).code


def _set(connections: list[apsw.Connection], state: str) -> None:
    """Make every connection read-only, or writable again; none is in use."""
    for connection in connections:
        connection.execute(f"PRAGMA query_only = {state}").fetchall()


def _ready(served: InProcessServer) -> int:
    """Return the status of `/readyz`."""
    statuses: list[int] = []

    async def send(event: MutableMapping[str, Any]) -> None:
        if isinstance(event.get("status"), int):
            statuses.append(event["status"])

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: MutableMapping[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/readyz",
        "headers": [],
    }
    served.run(served.server.health(scope, receive, send))
    return statuses[0]
