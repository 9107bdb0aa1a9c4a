"""Clients that do mixed work on a sandbox and record each response, until they are stopped.

Every account belongs to one client. One whose request was never answered is dropped, since its
state is unknown; the journal still compares both possibilities with the store.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.support import pb
from tests.support.fault_clients import Asker, NoAnswer, Reply
from tests.support.invariants import session_key
from tests.support.journal import Journal, Outcome

CLIENTS = 8
MOST_REQUESTS = 5_000
RENAMED_COINS = 1
WAIT_SECONDS = 60.0
STORE_UNAVAILABLE = 1001
ENVIRONMENT = {
    "HUPAN_FIRST_NICKNAME_COINS": str(RENAMED_COINS),
    "HUPAN_LIMITS_ENABLED": "false",
    "HUPAN_LOG_LEVEL": "warning",
}
"""Variables of a server for the load clients."""


@dataclass(frozen=True, slots=True)
class Coins:
    """The number of entries of a coin journal, and its balance."""

    entries: int = 0
    cents: int = 0

    def __str__(self) -> str:
        """Return the value for the journal of facts."""
        return f"{self.entries}:{self.cents}"


@dataclass
class Member:
    """An account as its one client knows it."""

    id: str
    token: str
    phone: str
    email: str = ""
    coins: Coins = Coins()
    is_renamed: bool = False
    code: str = ""

    @property
    def private(self) -> set[str]:
        """Return the values that only its own responses may contain (security J8)."""
        return {self.phone, self.email}


@dataclass
class Crowd:
    """The shared state of all clients of one test.

    Attributes:
        journal: the acknowledged writes.
        seed: decides the requests of each client, and their order.
        tokens: every token that was issued, by its key in the journal.
        answers_by_code: how often each request got each code.
        wrong: responses that broke an invariant; [] at the end.
        doubts_failures: whether a change with a store error may have been kept anyway,
            as after the loss of a separate database during a commit.
    """

    seed: int = 1
    journal: Journal = field(default_factory=Journal)
    tokens: dict[str, str] = field(default_factory=dict)
    answers_by_code: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    clients: list["Client"] = field(default_factory=list)
    doubts_failures: bool = False

    @contextmanager
    def at_work(self, port: int, clients: int = CLIENTS) -> Iterator[None]:
        """Let the clients work during the block."""
        over = threading.Event()
        while len(self.clients) < clients:
            self.clients.append(Client(self, len(self.clients)))
        with ThreadPoolExecutor(clients) as pool:
            parts = [pool.submit(one.run, port, over) for one in self.clients[:clients]]
            try:
                yield
            finally:
                over.set()
            for part in parts:
                part.result(timeout=WAIT_SECONDS)

    def live(self, most: int) -> list[str]:
        """Return some tokens that are certainly live, the newest last."""
        live = [client.members for client in self.clients]
        return [member.token for members in live for member in members][-most:]

    def ended(self, most: int) -> list[str]:
        """Return some tokens that certainly ended."""
        return [self.tokens[who] for who in self.journal.keys("session", None)][-most:]


class Client:
    """One of the clients: a thread with its connection."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.journal = crowd.journal
        self.members: list[Member] = []
        self._chance = random.Random(f"{crowd.seed}/{number}")  # noqa: S311 - which request comes next
        self._number = number
        self._serial = 0
        self._asker = Asker(0)

    def run(self, port: int, over: threading.Event) -> None:
        """Work until the end; an interrupted request is not retried."""
        with Asker(port) as self._asker:
            for _ in range(MOST_REQUESTS):
                if over.is_set():
                    return
                try:
                    self._step()
                except NoAnswer:
                    time.sleep(0.005)

    def _step(self) -> None:
        if len(self.members) < 3:
            self.arrive()
            return
        works = (self.rename, self.rename, self.note, self.look, self.look_at, self.replay)
        more = (self.sign_in_again, self.sign_out, self.bind)
        member = self._chance.choice(self.members)
        work: Callable[[Member], None] = self._chance.choice([*works, *more, self.sign_up])
        self.members.remove(member)  # until its response arrives
        work(member)
        self.members.append(member)

    def arrive(self) -> None:
        """Create an account by the sandbox's route, on a new session."""
        phone = self._fresh_phone()
        with self.journal.write({("phone", phone): "taken"}) as outcome:
            made = self._asker.call_sandbox(
                "accounts", {"phone": phone, "deviceId": "d", "coins": 5}
            )
            assert isinstance(made, dict)
            outcome.kept()
        self._meet(Member(made["id"], made["token"], phone, coins=Coins(1, 500)))

    def sign_up(self, member: Member) -> None:
        """Sign up another number, as a client does: captcha, code, sign-in."""
        del member
        phone = self._fresh_phone()
        code = self._code(phone)
        with self.journal.write({("phone", phone): "taken", ("code", phone): None}) as outcome:
            reply = self._sign_in(outcome, phone, code)
        if reply.code == 1:
            token = reply.text("token")
            info = self._asker.own_info(token)
            if info.code != 1:
                raise NoAnswer("nobody knows whose account it is")
            self._meet(Member(info.data.text(1), token, phone, code=code))

    def sign_in_again(self, member: Member) -> None:
        """Sign in again on the same device: the old session ends (security T3)."""
        code = self._code(member.phone)
        facts = {session_key(member.token): None, ("code", member.phone): None}
        with self.journal.write(facts) as outcome:
            reply = self._sign_in(outcome, member.phone, code)
        if reply.code == 1:
            member.token, member.code = reply.text("token"), code
            self._know(member.token, member.id)

    def sign_out(self, member: Member) -> None:
        """Sign out, then sign in by a code."""
        with self.journal.write({session_key(member.token): None}) as outcome:
            self._done("logout", outcome, self._asker.post("user/logout", token=member.token))
        self.sign_in_again(member)

    def rename(self, member: Member) -> None:
        """Change the nickname; the first change is rewarded with coins."""
        name, coins = self._text("n"), member.coins
        if not member.is_renamed:
            coins = Coins(coins.entries + 1, coins.cents + RENAMED_COINS * 100)
        facts = {("name", member.id): name, ("coins", member.id): str(coins)}
        with self.journal.write(facts) as outcome:
            body = pb.text(3, name)
            self._done("rename", outcome, self._post("user/edit-nickname", body, member))
        if outcome.is_kept:
            member.is_renamed, member.coins = True, coins

    def note(self, member: Member) -> None:
        """Write a remark about another account."""
        number, name = self._chance.randrange(3), self._text("r")
        if str(1_000_001 + number) == member.id:  # a remark about the own account is refused
            number = (number + 1) % 3
        friend = str(1_000_001 + number)
        with self.journal.write({("remark", f"{member.id}/{friend}"): name}) as outcome:
            body = {"friendId": friend, "name": name, "phone": "", "others": ""}
            self._done("note", outcome, self._post("user/save-user-remarks", body, member))

    def bind(self, member: Member) -> None:
        """Bind a first address."""
        if member.email:
            return
        email = f"{self._text('m')}@mail.example"
        code = self._code(email)
        member.email = email
        with self.journal.write({("email", email): "taken", ("code", email): None}) as outcome:
            body = {"email": email, "captcha": code}
            self._done("bind", outcome, self._post("user/bing-email", body, member))

    def look(self, member: Member) -> None:
        """Read the own account: the session is valid, and other accounts are not shown (J8)."""
        reply = self._asker.own_info(member.token)
        self._count("look", reply)
        if reply.code == 1 and reply.private() - member.private:
            self.crowd.wrong.append("J8: own info told of another one")
        if reply.code not in (1, 1001, 1003):
            self.crowd.wrong.append(f"J1: a live token got {reply.code}")

    def look_at(self, member: Member) -> None:
        """Read another account: it shows no number and no address (security J8)."""
        user = str(1_000_001 + self._chance.randrange(20))
        reply = self._asker.post("user/get-user", pb.text(2, user), member.token)
        self._count("look at", reply)
        if reply.private():
            self.crowd.wrong.append("J8: get-user told a number or an address")

    def replay(self, member: Member) -> None:
        """Try a used code (security J5)."""
        if not member.code:
            return
        body = {"mobile": member.phone, "captcha": member.code, "deviceId": "other"}
        reply = self._asker.post("user/verification-login", body)
        self._count("replay", reply)
        if reply.code == 1:
            self.crowd.wrong.append("J5: a code was spent twice")

    def _sign_in(self, outcome: Outcome, phone: str, code: str) -> Reply:
        body = {"mobile": phone, "captcha": code, "deviceId": "d"}
        reply = self._asker.post("user/verification-login", body)
        self._done("sign in", outcome, reply)
        return reply

    def _code(self, target: str) -> str:
        """Request a code and read the one that arrives."""
        answer = self._asker.post("user/captcha")
        if answer.code != 1:
            raise NoAnswer("no captcha")
        captcha = answer.text("id")
        channel = "email" if "@" in target else "sms"
        solved = {"code": self._letter("captcha", captcha), "id": captcha}
        field_name, kind = ("email", "email-") if channel == "email" else ("mobile", "")
        with self.journal.write({("code", target): "live"}) as outcome:
            path = f"verification/get-{kind}verification-code"
            reply = self._asker.post(path, {field_name: target, **solved})
            self._done("ask", outcome, reply)
        if not outcome.is_kept:
            raise NoAnswer("no code")
        return self._letter(channel, target)

    def _letter(self, channel: str, to: str) -> str:
        """Return the newest code for a target; a kill loses the messages of a sandbox."""
        letters = self._asker.call_sandbox(f"outbox?channel={channel}&to={quote(to)}")
        assert isinstance(letters, list)
        if not letters:
            raise NoAnswer("the message is gone")
        return str(letters[0]["code"])

    def _post(self, path: str, body: Mapping[str, object] | bytes, member: Member) -> Reply:
        reply = self._asker.post(path, body, member.token)
        if reply.private() - member.private:
            self.crowd.wrong.append(f"J8: {path} told of another one")
        return reply

    def _done(self, name: str, outcome: Outcome, reply: Reply) -> None:
        self._count(name, reply)
        if reply.code == 1:
            outcome.kept()
        elif reply.code == STORE_UNAVAILABLE and self.crowd.doubts_failures:
            raise NoAnswer(name)
        else:
            outcome.refused()

    def _count(self, name: str, reply: Reply) -> None:
        self.crowd.answers_by_code[name, reply.code] += 1

    def _meet(self, member: Member) -> None:
        name = f"用户{member.id}"  # the server's initial name
        coins = str(member.coins)
        self.journal.believe({("name", member.id): name, ("coins", member.id): coins})
        self._know(member.token, member.id)
        self.members.append(member)

    def _know(self, token: str, account: str) -> None:
        key = session_key(token)
        self.crowd.tokens[key[1]] = token
        self.journal.believe({key: account})

    def _fresh_phone(self) -> str:
        self._serial += 1
        return f"139{self.crowd.seed % 10}{self._number:02}{self._serial:05}"

    def _text(self, start: str) -> str:
        self._serial += 1
        return f"{start}{self._number}x{self._serial}"
