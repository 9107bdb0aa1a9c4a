"""The whole server in dictionaries: what wire.md and security.md require.

A method is one operation: it returns its result, or raises the error that the client gets.
Decision 0012 defines the order of refusals where the two pages do not.
"""

from hupan import errors
from hupan.errors import AppError
from tests.model.codes import Channel, Code, CodeBook, Target, shown, target
from tests.model.coins import Line
from tests.model.people import DAY, IDLE_DAYS, Person, Visit, day_of

FRESH_SECONDS = 15 * 60
PROOF_SECONDS = 10 * 60
UNDO_SECONDS = 7 * DAY
ERASED_AFTER_SECONDS = 15 * DAY
LEFT_SECONDS = 7 * DAY
MOST_VISITS = 3
FIRST_NAME_CENTS = 100
FIRST_NAME_TYP = 4

OTHER: dict[Channel, Channel] = {"sms": "email", "email": "sms"}
TAKEN = {"sms": errors.PhoneTaken, "email": errors.EmailTaken}
BOUND = {"sms": errors.PhoneBound, "email": errors.EmailBound}
NOT_BOUND = {"sms": errors.PhoneNotBound, "email": errors.EmailNotBound}


class Refused(Exception):
    """The operation is refused."""

    def __init__(self, failure: type[AppError]) -> None:
        super().__init__(failure.en)
        self.code = failure.code


class World:
    """All accounts.

    Attributes:
        owners: the account of each number and address, so none is shared (security J4).
        visits: every session so far, by token.
        notified: recipients of notices since the last reset, in normal form.
        ended: sessions that ended since the last reset.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.people: list[Person] = []
        self.owners: dict[Target, Person] = {}
        self.visits: dict[str, Visit] = {}
        self.codes: CodeBook[Person] = CodeBook()
        self.notified: list[str] = []
        self.ended: list[Visit] = []

    def pass_time(self, seconds: int) -> None:
        """Advance the time; never into the one day on which the hour of the last use matters."""
        self.now += seconds
        while any(self._is_near_idle(visit) for visit in self.visits.values()):
            self.now += DAY

    def caller(self, token: str) -> Visit:
        """Return the session of a token; the request counts as use."""
        visit = self.visits.get(token)
        if visit is None or not visit.is_alive(self.now):
            raise Refused(errors.NotSignedIn)
        if visit.person.banned_until > self.now:
            raise Refused(errors.Banned)
        visit.used_day = day_of(self.now)
        return visit

    def living(self, person: Person) -> list[Visit]:
        """Return the sessions of an account, newest first."""
        visits = [visit for visit in self.visits.values() if visit.person is person]
        return [visit for visit in reversed(visits) if visit.is_alive(self.now)]

    def may_enter(self, person: Person) -> bool:
        """Return whether a right secret opens a session."""
        return not person.erase_at and person.banned_until <= self.now

    def request_code(self, typed: str, *, resets: bool) -> Code[Person]:
        """Request a code; the current state decides its class (security D1)."""
        to = target(typed)
        return self.codes.issue(to, self.owners.get(to), resets=resets, now=self.now)

    def address(self, owner: Person | None, typed: str) -> str:
        """Return the recipient of a code: a bound contact as bound, else as typed."""
        to = target(typed)
        if owner is None or owner.erase_at:
            return shown(typed)
        return owner.bound[to.channel]

    def sign_in_by_code(self, phone: str, text: str) -> Person:
        """Sign in; an unknown number becomes a new account."""
        to = target(phone)
        code = self._used(to, text)
        if code.owner is not self.owners.get(to):
            raise Refused(errors.WrongCode)
        return self._let_in(code.owner or self._sign_up(to))

    def sign_in_by_password(self, email: str, password: str) -> Person:
        """Sign in; every failure has the same response."""
        person = self.owners.get(target(email))
        if person is None or not person.password or person.password != password:
            raise Refused(errors.WrongEmailOrPassword)
        return self._let_in(person)

    def open(self, person: Person, device: str, token: str) -> None:
        """Open a session: it replaces that of its device, and the oldest of too many.

        One without a device replaces none (wire.md 5).
        """
        assert token not in self.visits
        for visit in self.living(person):
            if device and visit.device == device:
                self._end(visit)
        self.visits[token] = Visit(token, person, device, self.now, day_of(self.now))
        for visit in self.living(person)[MOST_VISITS:]:
            self._end(visit)
            self._notify(person.bound.get("email") or person.bound["sms"])

    def reset_password(self, email: str, text: str, password: str) -> None:
        """Set a password; every session and every live code ends (security P6)."""
        to = target(email)
        person = self._used(to, text).owner
        if person is None or person is not self.owners.get(to):
            raise Refused(errors.WrongCode)
        self._let_in(person)
        person.password = password
        for visit in self.living(person):
            self._end(visit)
        self._kill_codes(person)
        self._notify(*person.bound.values())

    def bind(self, token: str, typed: str, text: str) -> None:
        """Bind a first number or address, perhaps without proof of the older contact."""
        visit, to = self.caller(token), target(typed)
        person = visit.person
        if to.channel in person.bound:
            raise Refused(BOUND[to.channel])
        self._take(person, typed, text)
        if not self._vouches(visit, OTHER[to.channel]):
            person.doubted_until[to.channel] = self.now + UNDO_SECONDS
        self._notify(*person.bound.values())

    def change(self, token: str, typed: str, text: str) -> None:
        """Prove a bound contact, or change it after that (security D2)."""
        visit, to = self.caller(token), target(typed)
        person = visit.person
        old = person.bound.get(to.channel)
        if old is None:
            raise Refused(NOT_BOUND[to.channel])
        if target(old) == to:
            self._prove(visit, to, text)
            return
        if not self._has_proved(visit, to.channel):
            self._refuse_doubted(person, OTHER[to.channel])
            if not self._is_fresh(visit):
                raise Refused(errors.ProofNeeded)
        self._take(person, typed, text)
        for other in self.living(person):
            if other is not visit:
                self._end(other)
        self._notify(old, *person.bound.values())

    def cancel(self, token: str, typed: str, text: str) -> None:
        """Cancel the account: its sessions end now, its data is erased later (security A7)."""
        person, to = self.caller(token).person, target(typed)
        if self.owners.get(to) is not person:
            raise Refused(errors.WrongCode)
        self._refuse_doubted(person, to.channel)
        self._own(person, self._used(to, text))
        person.erase_at = self.now + ERASED_AFTER_SECONDS
        for visit in self.living(person):
            self._leave(visit)
        self._kill_codes(person)
        self._notify(*person.bound.values())

    def sign_out(self, token: str) -> None:
        """End the session; a repetition succeeds as well (security T5)."""
        visit = self.visits.get(token)
        if visit is None or visit.ending != "left":
            self._leave(self.caller(token))

    def end_device(self, token: str, device: str) -> None:
        """Sign out a device of the caller, perhaps the caller's own."""
        for visit in self.living(self.caller(token).person):
            if visit.device == device:
                self._leave(visit)

    def rename(self, token: str, name: str) -> None:
        """Change the nickname; the first change is rewarded, once."""
        person = self.caller(token).person
        if name != person.name and not person.is_renamed:
            person.is_renamed = True
            person.coins.change("first-nickname", FIRST_NAME_CENTS, FIRST_NAME_TYP, self.now)
        person.name = name

    def show(self, person: Person) -> Person:
        """Return a visible account, as get-user does."""
        known = self.known(person)
        if known.banned_until > self.now:
            raise Refused(errors.Banned)
        return known

    def known(self, person: Person) -> Person:
        """Return an account that others can find: a cancelled one cannot be found."""
        if person.erase_at:
            raise Refused(errors.UnknownUser)
        return person

    def changeable(self, person: Person) -> Person:
        """Return an account that an operator can change; a cancelled one is refused."""
        if person.erase_at and not person.is_erased:
            raise Refused(errors.AccountCancelled)
        return self.known(person)

    def ban(self, person: Person, until: int) -> None:
        """Ban as an operator, or unban with 0."""
        self.changeable(person).banned_until = until

    def change_coins(self, person: Person, key: str, cents: int, typ: int) -> Line:
        """Grant or take coins."""
        line = self.changeable(person).coins.change(key, cents, typ, self.now)
        if not isinstance(line, Line):
            raise Refused(line)
        return line

    def purge_expired(self) -> None:
        """Apply housekeeping: erase data, free targets, forget old results."""
        for person in self.people:
            person.coins.forget_refusals(self.now)
            if person.erase_at and self.now >= person.erase_at and not person.is_erased:
                person.is_erased = True
                for to in map(target, person.bound.values()):
                    del self.owners[to]
                    self.codes.kill(to)
        for visit in self.visits.values():
            if visit.person.is_erased or self.now >= visit.left_at + LEFT_SECONDS:
                visit.ending = visit.ending and "ended"

    def _used(self, to: Target, text: str) -> Code[Person]:
        code = self.codes.guess(to, text, self.now)
        if code is None:
            raise Refused(errors.WrongCode)
        return code

    def _let_in(self, person: Person) -> Person:
        """Check deletion and ban, only after the secret was right (security E3)."""
        if person.erase_at:
            raise Refused(errors.AccountCancelled)
        if person.banned_until > self.now:
            raise Refused(errors.Banned)
        return person

    def _sign_up(self, to: Target) -> Person:
        person = Person(bound={to.channel: to.key})
        self.people.append(person)
        self.owners[to] = person
        return person

    def _prove(self, visit: Visit, to: Target, text: str) -> None:
        self._own(visit.person, self._used(to, text))
        visit.proofs[to.channel] = self.now + PROOF_SECONDS

    def _has_proved(self, visit: Visit, channel: Channel) -> bool:
        return self.now < visit.proofs.get(channel, 0)

    def _is_fresh(self, visit: Visit) -> bool:
        return self.now < visit.signed_in_at + FRESH_SECONDS

    def _vouches(self, visit: Visit, older: Channel) -> bool:
        """Return whether the caller of a second binding has proved the first contact."""
        if self.now < visit.person.doubted_until.get(older, 0):
            return False
        return self._is_fresh(visit) or self._has_proved(visit, older)

    def _refuse_doubted(self, person: Person, channel: Channel) -> None:
        """Refuse a proof by a contact that was bound without proof (decision 0012)."""
        if self.now < person.doubted_until.get(channel, 0):
            raise Refused(errors.OlderProofNeeded)

    def _own(self, person: Person, code: Code[Person]) -> None:
        if code.owner is not person or code.resets:
            raise Refused(errors.WrongCode)

    def _take(self, person: Person, typed: str, text: str) -> None:
        """Bind a target with a code of class NEW; the replaced one is free at once."""
        to = target(typed)
        code = self._used(to, text)
        if to in self.owners and not code.resets:
            raise Refused(TAKEN[to.channel])
        if code.resets or code.owner is not None:
            raise Refused(errors.WrongCode)
        old = person.bound.get(to.channel)
        if old is not None:
            del self.owners[target(old)]
            self.codes.kill(target(old))
        self.owners[to] = person
        person.bound[to.channel] = shown(typed)
        self._forget_proofs(person, to.channel)

    def _forget_proofs(self, person: Person, channel: Channel) -> None:
        """Forget the proof of the old target."""
        for visit in self.visits.values():
            if visit.person is person:
                visit.proofs.pop(channel, None)

    def _kill_codes(self, person: Person) -> None:
        for typed in person.bound.values():
            self.codes.kill(target(typed))

    def _end(self, visit: Visit) -> None:
        visit.ending = "ended"
        self.ended.append(visit)

    def _leave(self, visit: Visit) -> None:
        self._end(visit)
        visit.ending, visit.left_at = "left", self.now

    def _notify(self, *targets: str) -> None:
        self.notified.extend(sorted({typed.lower() for typed in targets}))

    def _is_near_idle(self, visit: Visit) -> bool:
        return not visit.ending and visit.idle_days(self.now) == IDLE_DAYS
