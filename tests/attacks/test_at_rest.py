"""What the disk and the process table show while a server runs (security P7, C1, T2, L3)."""

from pathlib import Path

import pytest

from tests.support.captchas import solve
from tests.support.channels import forget
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = pytest.mark.slow

FIRST, SECOND, WEAK, WRONG = "canary-柳浪-a1", "canary-闻莺-b2", "password", "canary-雷峰-c3"
OF_THE_OPERATOR = "canary-smtp-secret-9d"


def scene(wire: WireClient) -> tuple[list[str], list[str]]:
    """Return secrets of sign-ins and resets, and the texts that may be read."""
    phone, email = wire.fresh_phone(), "visitor-at-rest@example.com"
    account = wire.account(phone=phone, email=email, password=FIRST)
    tokens = [account.token, wire.email_login(email, FIRST).text("token")]
    wire.email_login(email, WRONG)
    wire.email_login("nobody-at-rest@example.com", WRONG)
    assert wire.ask_email(email).code == 1
    code = wire.list_outbox("email", email)[0].code
    assert forget(wire, email, wire.wrong_code(code), WRONG).code > 1
    assert forget(wire, email, code, WEAK).code > 1
    assert forget(wire, email, code, SECOND).code == 1
    tokens.append(wire.email_login(email, SECOND).text("token"))
    assert wire.ask_email(email, typ="forget_password").code == 1
    tokens.append(wire.signed_in(phone))
    assert wire.own_info(tokens[-1]).code == 1
    half_way = wire.sms_code(phone)
    captcha = wire.captcha()
    # Six digits may occur in a file by chance as part of something else, so the search is for the
    # code with its surroundings in a message or a row, not for the digits alone.
    texts = [
        letter.text
        for letter in (*wire.list_outbox("sms", phone), *wire.list_outbox("email", email))
    ]
    assert any(half_way in text for text in texts)
    return [FIRST, SECOND, WRONG, *tokens, *texts, captcha.answer + captcha.id], [email, phone]


def on_disk(folder: Path) -> bytes:
    """Return every byte of every file below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.one_engine
def test_no_secret_is_in_the_store_or_the_log(tmp_path: Path) -> None:
    """Passwords, tokens and messages with codes are in no file, during the run or after it."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as wire:
        secrets, readable = scene(wire)
        for when in ("while it runs", "after it stopped"):
            kept = on_disk(folder)
            assert all(text.encode() in kept for text in readable), when
            assert [text for text in secrets if text.encode() in kept] == [], when
            server.stop()
        assert [text for text in secrets if text in server.output()] == []


@pytest.mark.one_engine
def test_files_and_arguments_are_private(tmp_path: Path) -> None:
    """Only the owner reads the files, and no argument of a process has a secret (L3)."""
    folder = tmp_path / "data"
    environment = {"HUPAN_SMTP_PASSWORD": OF_THE_OPERATOR, "HUPAN_SMS_HMAC_SECRET": OF_THE_OPERATOR}
    server = Server("serve", "--data-dir", str(folder), environment=environment, is_forked=False)
    with server, WireClient(server) as wire:
        captcha_id = wire.post("user/captcha").text("id")
        body = {"mobile": "13900000001", "code": solve(folder, captcha_id), "id": captcha_id}
        assert wire.post("verification/get-verification-code", body).code == 1
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
        assert {"hupan.db", "secret.key"} <= set(modes)
        assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
        assert folder.stat().st_mode & 0o077 == 0
        for process in (server.process.pid, *children(server.process.pid)):
            arguments = Path(f"/proc/{process}/cmdline").read_bytes()
            assert OF_THE_OPERATOR.encode() not in arguments
            assert (folder / "secret.key").read_bytes() not in arguments
    assert OF_THE_OPERATOR not in server.output()


@pytest.mark.one_engine
def test_two_fresh_installs_share_no_secret(tmp_path: Path) -> None:
    """A fresh install has no key, password or account: no two installs share one (L3)."""
    keys = []
    for name in ("one", "two"):
        folder = tmp_path / name
        server = Server("serve", "--data-dir", str(folder))
        with server, WireClient(server) as wire:
            for email in ("admin@example.com", "hupan@example.com"):
                for password in ("admin", "hupan", ""):
                    assert wire.email_login(email, password).code > 1
        keys.append((folder / "secret.key").read_bytes())
    assert keys[0] != keys[1]
    assert all(len(set(key)) > 12 for key in keys)


def children(process: int) -> list[int]:
    """Return the processes that a process started."""
    folders = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [int(folder.name) for folder in folders if _parent(folder) == process]


def _parent(folder: Path) -> int:
    try:
        text = (folder / "stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[1])
