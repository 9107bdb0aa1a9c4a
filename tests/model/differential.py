"""Run each operation on the server and on the model, and compare the results."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from hypothesis import note

from tests.model.codes import Target, target
from tests.model.coins import Line
from tests.model.inprocess_server import InProcessServer
from tests.model.operators import assert_sound, assert_whole, ban, change_coins
from tests.model.people import Person, Visit
from tests.model.reference import Refused, World
from tests.support import pb
from tests.support.answers import Answer

Promised = TypeVar("Promised")
Seen = Counter[tuple[str, int]]
"""How often each operation got each result."""
NO_CODE = "000000"


def outcome(promise: Callable[[], Promised]) -> tuple[int, Promised | None]:
    """Return the code that the model expects, and the data of a success."""
    try:
        return 1, promise()
    except Refused as refused:
        return refused.code, None


class DifferentialRun:
    """Run every operation on both."""

    def __init__(self, folder: Path, seen: Seen) -> None:
        self.served = InProcessServer(folder)
        self.world = World(int(self.served.clock.time))
        self.seen = seen
        self.sent: dict[Target, list[str]] = {}

    def do(
        self,
        promise: Callable[[], object],
        path: str,
        body: Mapping[str, object] | bytes = b"",
        token: str = "",
    ) -> None:
        """Send one request."""
        self._request(promise, path, body, token)
        self._check_notices()

    def sign_in(
        self, promise: Callable[[], Person], path: str, body: Mapping[str, object], device: str
    ) -> None:
        """Send one request that opens a session on a device."""
        answer, person = self._request(promise, path, {**body, "deviceId": device}, "")
        if person is not None:
            self.world.open(person, device, answer.text("token"))
        self._check_notices()
        if person is not None and not person.id:
            self._learn_id(person, answer.text("token"))

    def request_code(self, typed: str, *, resets: bool) -> None:
        """Request a code and record what arrives."""
        is_email = "@" in typed
        path = "get-email-verification-code" if is_email else "get-verification-code"
        typ = {"typ": "forget_password"} if resets else {}
        body = {"email" if is_email else "mobile": typed, **self.served.solved(), **typ}
        code = self.world.request_code(typed, resets=resets)
        assert self.served.post(f"verification/{path}", body).code == 1
        self.seen[path, 1] += 1
        letters = self.served.letters()
        to = self.world.address(code.owner, typed)
        due = [(to, "reset" if resets else "code")] if code.is_sent else []
        came = [(letter.to, letter.purpose) for letter in letters]
        assert came == due, f"{typed}: {came}, but promised {due}"
        for letter in letters:
            code.text = letter.code
            self.sent.setdefault(target(typed), []).append(letter.code)

    def text(self, typed: str, guess: str) -> str:
        """Return the code to enter for a target: right, wrong, stale, or another's."""
        to = target(typed)
        live, sent = self.world.codes.live, self.sent.get(to, [])
        right = live[to].text if to in live else ""
        if guess == "wrong":
            return f"{(int(right or NO_CODE) + 1) % 1_000_000:06}"
        if guess == "foreign":
            return next((code.text for at, code in live.items() if at != to and code.text), NO_CODE)
        if guess == "stale":
            return next((text for text in sent if text != right), NO_CODE)
        return right or (sent[-1] if sent else NO_CODE)

    def ban(self, person: Person, until: int) -> None:
        """Ban as an operator, or unban with 0."""
        code, _ = outcome(lambda: self.world.ban(person, until))
        assert ban(self.served, person.id, until) == code
        self.seen["ban" if until else "unban", code] += 1

    def change_coins(self, person: Person, key: str, cents: int, typ: int) -> None:
        """Grant or take coins."""
        code, line = outcome(lambda: self.world.change_coins(person, key, cents, typ))
        assert change_coins(self.served, person.id, key, cents, typ) == (line or code)
        self.seen["coins", code] += 1

    def pass_time(self, seconds: int) -> None:
        """Advance both clocks."""
        self.world.pass_time(seconds)
        self.served.clock.time = float(self.world.now)
        self.seen["wait", 1] += 1
        note(f"now {self.world.now}")

    def look(self, token: str) -> None:
        """Compare what a caller sees of the own account, its devices and its coins."""
        code, visit = outcome(lambda: self.world.caller(token))
        answer = self.served.get("user/info", token)
        assert answer.code == code, f"user/info: {answer.code}, but promised {code}"
        self.seen["user/info", code] += 1
        if visit is not None:
            person = visit.person
            phone, email = person.bound.get("sms", ""), person.bound.get("email", "")
            data = answer.pb_data
            assert [data.text(at) for at in (1, 2, 6, 7)] == [person.id, person.name, phone, email]
            assert round(data.double(8) * 100) == person.coins.cents
            self._look_at_devices(visit)
            self._look_at_coins(visit)

    def look_at(self, person: Person) -> None:
        """Compare what others see of an account."""
        code, _ = outcome(lambda: self.world.show(person))
        answer = self.served.post("user/get-user", pb.text(2, person.id), "anything")
        assert answer.code == code, f"get-user: {answer.code}, but promised {code}"
        self.seen["user/get-user", code] += 1
        if code == 1:
            assert answer.pb_data.text(2) == person.name

    def look_at_everything(self) -> None:
        """Check that no write is lost, no ended session works (J1, J6), and all is sound."""
        for token in list(self.world.visits):
            self.look(token)
        for person in self.world.people:
            self.look_at(person)
        assert_sound(self.served)
        assert_whole(self.served)

    def look_at_what_ended(self) -> None:
        """Check that sessions ended by the last operation no longer work."""
        ended, self.world.ended = self.world.ended, []
        for visit in ended:
            self.look(visit.token)
        assert_sound(self.served)

    def _request(
        self,
        promise: Callable[[], Promised],
        path: str,
        body: Mapping[str, object] | bytes,
        token: str,
    ) -> tuple[Answer, Promised | None]:
        code, promised = outcome(promise)
        answer = self.served.post(path, body, token)
        assert answer.code == code, f"{path}: {answer.code} {answer.msg}, but promised {code}"
        self.seen[path, code] += 1
        return answer, promised

    def _learn_id(self, person: Person, token: str) -> None:
        """Learn the id of a new account, which was never used before."""
        data = self.served.get("user/info", token).pb_data
        assert all(int(data.text(1)) > int(other.id or 0) for other in self.world.people)
        person.id, person.name = data.text(1), data.text(2)
        self.look(token)

    def _check_notices(self) -> None:
        """Check that exactly the model's recipients got one notice each, and no code."""
        notified, self.world.notified = self.world.notified, []
        letters = self.served.letters()
        assert not any(letter.code for letter in letters)
        came = sorted(letter.to.lower() for letter in letters)
        assert came == sorted(notified), f"notified {came}, but promised {notified}"

    def _look_at_devices(self, visit: Visit) -> None:
        message = self.served.get("user/clients", visit.token).message
        assert message is not None
        shown_devices = [client.text(4) for client in message.messages(2)]
        assert shown_devices == [one.device for one in self.world.living(visit.person)]

    def _look_at_coins(self, visit: Visit) -> None:
        path = "user/gold-coin-increase-decrease-record"
        data = self.served.post(path, {"size": 100, "page": 1}, visit.token).data
        assert data is not None
        assert data["total"] == len(visit.person.coins.lines)
        record = data["goldCoinRecord"]
        assert isinstance(record, list)
        lines = [Line(one["id"], one["typ"], *map(_cents, _amounts(one))) for one in record]
        assert lines == visit.person.coins.lines[::-1]


def _amounts(entry: dict[str, float]) -> tuple[float, float, float]:
    return entry["beforeAmount"], entry["changeAmount"], entry["afterAmount"]


def _cents(coins: float) -> int:
    return round(coins * 100)
