"""The expected behaviour of the coins of one account (security J3, R09)."""

from dataclasses import dataclass, field
from typing import NamedTuple

from hupan.errors import AppError, CoinKeyReused, NotEnoughCoins

REFUSED_SECONDS = 7 * 86_400
"""How long a refusal for lack of coins is repeated for its key."""


class Line(NamedTuple):
    """An entry of the journal as on the wire; amounts in hundredths of a coin."""

    number: int
    typ: int
    before: int
    change: int
    after: int


@dataclass
class CoinModel:
    """A journal, and the first result of each key."""

    lines: list[Line] = field(default_factory=list)
    done: dict[str, Line] = field(default_factory=dict)
    refused: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def cents(self) -> int:
        """Return the balance after the newest entry."""
        return self.lines[-1].after if self.lines else 0

    def change(self, key: str, cents: int, typ: int, now: int) -> Line | type[AppError]:
        """Return the entry of a change, the same for the same key; or the refusal."""
        if key in self.done:
            line = self.done[key]
            return line if (line.change, line.typ) == (cents, typ) else CoinKeyReused
        if key in self.refused:
            return NotEnoughCoins if self.refused[key][0] == cents else CoinKeyReused
        if self.cents + cents < 0:
            self.refused[key] = (cents, now)
            return NotEnoughCoins
        line = Line(len(self.lines) + 1, typ, self.cents, cents, self.cents + cents)
        self.lines.append(line)
        self.done[key] = line
        return line

    def forget_refusals(self, now: int) -> None:
        """Forget old refusals: their keys are new again."""
        for key, (_, refused_at) in list(self.refused.items()):
            if now >= refused_at + REFUSED_SECONDS:
                del self.refused[key]
