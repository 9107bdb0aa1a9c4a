"""Any sequence of operations, as hypothesis thinks of it."""

import sys
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model.codes import target
from tests.model.differential import DifferentialRun, Seen
from tests.model.people import DAY, Person
from tests.model.reference import ERASED_AFTER_SECONDS

PHONES = [f"1390000000{at}" for at in range(1, 7)] + ["+8613900000002"]
EMAILS = [
    "ann@example.com",
    "Ann@Example.com",
    "bob@example.com",
    "eve@example.com",
    "joe@example.com",
]
DEVICES = ["", "pad", "desk", "watch"]
WORDS = ["brisk-otter-41", "slow lantern 12", "梧桐 and 7 foxes"]
SECONDS_BESIDE_A_DAY = 7
TOO_LATE_SECONDS = 301
NOT_FRESH_SECONDS = 901
PROOFS = {"prove phone": PHONES[0], "prove email": EMAILS[0]}
TYPS = {"give": 2, "take": 6}

phones, emails = st.sampled_from(PHONES), st.sampled_from(EMAILS)
targets = st.sampled_from(PHONES + EMAILS)
devices = st.sampled_from(DEVICES)
passwords = st.sampled_from(WORDS)
guesses = st.sampled_from([*["right"] * 6, "wrong", "wrong", "stale", "foreign"])
asked = st.sampled_from([*["plain"] * 5, "late", "no", "no", "reset", "reset", "reset"])
"""Whether a code is asked for just before, or some minutes ago, and for what."""
mostly = st.sampled_from([True, True, True, False])
bound = st.sampled_from(["typed", "free", "free", "taken"])
changed = st.sampled_from(["bound", "bound", "free", "free", "free", "taken", "typed"])
"""What a binding or a change is to: what the caller has, what is free, what another has."""
before = st.sampled_from(["nothing", "nothing", "wait", "prove phone", "prove email"])
"""What a change comes after: a wait makes a session old, a proof is made of what is bound."""
turns = st.integers(0, 5)
"""Which one of those that there are, from the newest on."""
whoever = st.tuples(st.sampled_from([*["live"] * 6, "ended", "nobody"]), turns)
# No sum of these is five, ten or fifteen minutes, a day or a number of days: the edges belong to
# tests of their own.
moments = st.sampled_from([61, TOO_LATE_SECONDS, NOT_FRESH_SECONDS])
days = st.sampled_from([1, 1, 1, 7, 16, 31])


class Machine(RuleBasedStateMachine):
    """Two people sign up, and then anything may happen."""

    def __init__(self, folder: Path, seen: Seen) -> None:
        super().__init__()
        self.both = DifferentialRun(folder, seen)
        self.world = self.both.world

    def teardown(self) -> None:
        """However it went, at the end all is as the model has it."""
        try:
            if sys.exc_info()[0] is None:  # else what failed first would not be shown
                self.both.look_at_everything()
        finally:
            self.both.served.close()

    @initialize(device=devices)
    def two_sign_up(self, device: str) -> None:
        """Two accounts with addresses: the first bound it without proof, the second has devices."""
        self._sign_in(PHONES[0], device, "right", "plain")
        self.bind(("live", 0), EMAILS[-1], "typed", late=True, guess="right", ask="plain")
        for used in DEVICES[:3]:
            self._sign_in(PHONES[1], used, "right", "plain")
        self.bind(("live", 0), EMAILS[0], "typed", late=False, guess="right", ask="plain")

    @rule(typed=targets, resets=st.booleans())
    def run(self, typed: str, resets: bool) -> None:
        """Request a code."""
        self.both.request_code(typed, resets=resets and "@" in typed)

    @rule(phone=phones, own=mostly, turn=turns, device=devices, guess=guesses, ask=asked)
    def sign_in_by_code(
        self, phone: str, own: bool, turn: int, device: str, guess: str, ask: str
    ) -> None:
        """Sign in with a number, mostly one that is bound."""
        phone = self._person(turn % 2).bound["sms"] if own else phone
        self._sign_in(phone, device, guess, ask)

    @rule(phone=phones, guess=guesses, tries=st.sampled_from([2, 5, 6, 7]))
    def try_many(self, phone: str, guess: str, tries: int) -> None:
        """Guess at a new code, and then use the right one."""
        self.both.request_code(phone, resets=False)
        for at in range(tries):
            self._sign_in(phone, "", "wrong" if at < tries - 1 else guess, "no")

    @rule(email=emails, password=passwords, device=devices, known=mostly)
    def sign_in_by_password(self, email: str, password: str, device: str, known: bool) -> None:
        """Sign in with an address, mostly with a password that was set."""
        protected = [person for person in self.world.people if person.password]
        if known and protected:
            email, password = protected[-1].bound.get("email", email), protected[-1].password
        self.both.sign_in(
            lambda: self.world.sign_in_by_password(email, password),
            "user/email-login",
            {"email": email, "password": password},
            device,
        )

    @rule(email=emails, own=mostly, password=passwords, guess=guesses, ask=asked)
    def reset_password(self, email: str, own: bool, password: str, guess: str, ask: str) -> None:
        """Set a password, mostly one of an address that is bound."""
        bound = [one.bound["email"] for one in self.world.people if "email" in one.bound]
        email = bound[-1] if own and bound else email
        text = self._text(email, guess, ask)
        self.both.do(
            lambda: self.world.reset_password(email, text, password),
            "user/forget-password",
            {"email": email, "captcha": text, "password": password},
        )

    @rule(phone=phones, own=mostly, turn=turns)
    def sign_in_everywhere(self, phone: str, own: bool, turn: int) -> None:
        """Sign in on one device after the other, one more than allowed."""
        phone = self._person(turn % 2).bound["sms"] if own else phone
        for device in DEVICES:
            self._sign_in(phone, device, "right", "plain")

    @rule(who=whoever, typed=targets, to=bound, late=mostly, guess=guesses, ask=asked)
    def bind(
        self, who: tuple[str, int], typed: str, to: str, late: bool, guess: str, ask: str
    ) -> None:
        """Bind a number or an address, mostly not just after signing in."""
        token = self._token(who)
        typed = self._pick(token, typed, to)
        if late:
            self.both.pass_time(NOT_FRESH_SECONDS)
        path = "user/bing-email" if "@" in typed else "user/bing-phone"
        self._prove(self.world.bind, path, token, typed, self._text(typed, guess, ask))

    @rule(who=whoever, typed=targets, to=changed, first=before, guess=guesses, ask=asked)
    def change(
        self, who: tuple[str, int], typed: str, to: str, first: str, guess: str, ask: str
    ) -> None:
        """Prove what is bound, or change it, mostly to what is free."""
        token = self._token(who)
        if first != "nothing":
            self.both.pass_time(NOT_FRESH_SECONDS)
        if first in PROOFS:
            proof = self._bound(token, PROOFS[first])
            self.change(("live", who[1]), proof, "bound", "nothing", "right", "plain")
        typed = self._pick(token, typed, to)
        path = "user/change-email-check" if "@" in typed else "user/change-phone-check"
        self._prove(self.world.change, path, token, typed, self._text(typed, guess, ask))

    @rule(who=whoever, typed=targets, own=mostly, guess=guesses, ask=asked)
    def cancel(self, who: tuple[str, int], typed: str, own: bool, guess: str, ask: str) -> None:
        """Cancel the account."""
        token = self._token(who)
        typed = self._bound(token, typed) if own else typed
        text = self._text(typed, guess, ask)
        self._prove(self.world.cancel, "user/cancel-user", token, typed, text)

    @rule(who=whoever)
    def sign_out(self, who: tuple[str, int]) -> None:
        """Sign out, perhaps again."""
        token = self._token(who)
        self.both.do(lambda: self.world.sign_out(token), "user/logout", b"", token)

    @rule(who=whoever, device=devices)
    def end_device(self, who: tuple[str, int], device: str) -> None:
        """Take a device offline."""
        token, body = self._token(who), {"deviceId": device}
        self.both.do(
            lambda: self.world.end_device(token, device), "user/device-offline", body, token
        )

    @rule(who=whoever, name=st.sampled_from(["小明", "Ann", "Eve 🌊"]))
    def rename(self, who: tuple[str, int], name: str) -> None:
        """Change the nickname."""
        token, body = self._token(who), b"\x1a" + bytes([len(name.encode())]) + name.encode()
        self.both.do(lambda: self.world.rename(token, name), "user/edit-nickname", body, token)

    @rule(who=whoever)
    def look(self, who: tuple[str, int]) -> None:
        """Read the own account."""
        self.both.look(self._token(who))

    @rule(turn=turns, key=st.sampled_from("abcde"), cents=st.sampled_from([-250, -1, 1, 199, 250]))
    def change_coins(self, turn: int, key: str, cents: int) -> None:
        """Coins are given or taken, perhaps with a key that was used before."""
        typ = TYPS["give" if cents > 0 else "take"]
        self.both.change_coins(self._person(turn), key, cents, typ)

    @rule(turn=turns, seconds=st.sampled_from([0, 0, 100, DAY]))
    def ban(self, turn: int, seconds: int) -> None:
        """An operator bans for a while, or lets in."""
        person = self._person(turn)
        self.both.ban(person, self.world.now + seconds if seconds else 0)
        self.both.look_at(person)

    @rule(seconds=moments)
    def wait(self, seconds: int) -> None:
        """Some minutes pass."""
        self.both.pass_time(seconds)

    @rule(days=days, then_tidy=mostly)
    def wait_for_days(self, days: int, then_tidy: bool) -> None:
        """Some days pass, and housekeeping mostly came by."""
        self.both.pass_time(days * DAY + SECONDS_BESIDE_A_DAY)
        if then_tidy:
            self._tidy()

    @precondition(lambda self: any(one.erase_at for one in self.world.people))
    @rule(then_tidy=mostly)
    def wait_for_erasure(self, then_tidy: bool) -> None:
        """Let the delay of a cancellation pass; before housekeeping nothing is free."""
        self.both.pass_time(ERASED_AFTER_SECONDS + SECONDS_BESIDE_A_DAY)
        if then_tidy:
            self._tidy()

    @rule(in_order=st.booleans())
    def reopen(self, in_order: bool) -> None:
        """The server is stopped, or killed, and comes back."""
        if in_order:
            self.both.served.reopen()
        else:
            self.both.served.crash()
        self.both.seen["reopen", 1] += 1
        self.both.look_at_everything()

    @invariant()
    def what_ended_is_over(self) -> None:
        """After each operation: ended sessions work no more, and the store is sound."""
        self.both.look_at_what_ended()

    def _sign_in(self, phone: str, device: str, guess: str, ask: str) -> None:
        text = self._text(phone, guess, ask)
        self.both.sign_in(
            lambda: self.world.sign_in_by_code(phone, text),
            "user/verification-login",
            {"mobile": phone, "captcha": text},
            device,
        )

    def _tidy(self) -> None:
        self.both.served.run(self.both.served.server.housekeeping.purge())
        self.world.purge_expired()
        self.both.seen["tidy", 1] += 1

    def _prove(
        self,
        promise: Callable[[str, str, str], None],
        path: str,
        token: str,
        typed: str,
        text: str,
    ) -> None:
        """One of the calls that come with a token, a target and a code."""
        body = {"email" if "@" in typed else "phone": typed, "captcha": text}
        self.both.do(lambda: promise(token, typed, text), path, body, token)

    def _text(self, typed: str, guess: str, ask: str) -> str:
        if ask != "no":
            self.both.request_code(typed, resets=ask == "reset" and "@" in typed)
        if ask == "late":
            self.both.pass_time(TOO_LATE_SECONDS)
        return self.both.text(typed, guess)

    def _token(self, who: tuple[str, int]) -> str:
        """Return a token of the wanted kind; where no live one is left, sign in."""
        kind, turn = who
        if kind == "nobody":
            return ""
        if kind == "live" and not self._tokens(live=True):
            self._sign_in(self._phone_that_opens(turn), "pad", "right", "plain")
        tokens = self._tokens(live=kind == "live") or [""]
        return tokens[turn % len(tokens)]

    def _phone_that_opens(self, turn: int) -> str:
        """Return the number of an account that may sign in, else one that is free."""
        people = [one for one in self.world.people if self.world.may_enter(one)]
        return (
            people[turn % len(people)].bound["sms"] if people else self._of(PHONES[0], taken=False)
        )

    def _tokens(self, *, live: bool) -> list[str]:
        """Newest first."""
        visits = reversed(self.world.visits.values())
        return [one.token for one in visits if one.is_alive(self.world.now) == live]

    def _pick(self, token: str, typed: str, to: str) -> str:
        """What a change is to, of the kind that was typed."""
        if to == "bound":
            return self._bound(token, typed)
        if to == "taken":
            return self._of(typed, taken=True)
        return self._of(typed, taken=False) if to == "free" else typed

    def _of(self, typed: str, *, taken: bool) -> str:
        """Return a target of the same kind, taken or free; the target itself if there is none."""
        kind = EMAILS if "@" in typed else PHONES
        return next((one for one in kind if (target(one) in self.world.owners) == taken), typed)

    def _bound(self, token: str, typed: str) -> str:
        """What the caller has of the kind of a target; the target when there is none."""
        visit = self.world.visits.get(token)
        bound = visit.person.bound if visit else {}
        return bound.get("email" if "@" in typed else "sms", typed)

    def _person(self, turn: int) -> Person:
        return self.world.people[-1 - turn % len(self.world.people)]
