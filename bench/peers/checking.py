"""Checks that a server responds correctly before a measurement, and kept its writes after it."""

import time
import urllib.error
import urllib.request

from bench.peers.peer import Account, Call, Peer, Unavailable

START_SECONDS = 60.0


def answer(port: int, call: Call) -> str:
    """Return the text of a response; "" if there is none, or an error."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{call.path}", call.body or None, call.headers, method=call.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as found:  # noqa: S310 - our own server
            return str(found.read().decode("utf-8", "replace"))
    except OSError:
        return ""


def await_own(peer: Peer, port: int, account: Account) -> None:
    """Wait until a server returns an account to its owner.

    Raises:
        Unavailable: it does not within a minute.
    """
    call, deadline = peer.own(account), time.monotonic() + START_SECONDS
    while call.proof not in answer(port, call):
        if time.monotonic() > deadline:
            raise Unavailable("it did not answer for an own account in a minute")
        time.sleep(0.1)


def check(peer: Peer, port: int, caller: Account, other: Account) -> None:
    """Run each operation once with valid input and, where applicable, with invalid input.

    Raises:
        Unavailable: a response is not as expected.
    """
    stranger, renamed = caller._replace(token=other.token[::-1]), caller._replace(name="check")
    right = {
        "own account": peer.own(caller),
        "profile": peer.profile(caller, other),
        "rename": peer.rename(caller, renamed.name),
        "profile after the rename": peer.profile(other, renamed),
        "rename back": peer.rename(renamed, caller.name),
        "own account after that": peer.own(caller),
        "sign-in": peer.sign_in(caller),
    }
    login = peer.sign_in(caller)
    wrong = {
        "own account, a wrong token": peer.own(stranger),
        "rename, a wrong token": peer.rename(stranger, "thief"),
        "sign-in, a wrong password": login._replace(body=login.body.replace(b"heron", b"stork")),
    }
    for what, call in right.items():
        if call.proof not in answer(port, call):
            raise Unavailable(f"{what}: not the right answer")
    for what, call in wrong.items():
        if call.proof in answer(port, call):
            raise Unavailable(f"{what}: was let in")


def check_kept(peer: Peer, port: int, accounts: list[Account], names: tuple[str, ...]) -> None:
    """Check that every account renamed under load has one of the names.

    Raises:
        Unavailable: one does not.
    """
    for account in accounts:
        known = [peer.profile(account, account._replace(name=name)) for name in names]
        found = answer(port, known[0])
        if not any(call.proof in found for call in known):
            raise Unavailable("a rename was answered but not kept")
