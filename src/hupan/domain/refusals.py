"""Everything the domain can say no to. Raise them; the api maps each to the wire once.

Refusal
├── InvalidField            a value that can never be right, named as on the wire
├── NotSignedIn             no live session
├── Banned                  the account is banned; told only after the secret was right (E3)
├── VipOnly                 a VIP feature without VIP
├── UnknownUser             nobody has this id
├── WrongCaptcha            wrong, used or expired
├── WrongCode               wrong, used, expired, for something else, or out of tries
├── WrongEmailOrPassword    one answer for all that may be wrong (security E1)
├── SignUpClosed            new numbers are not taken
├── PhoneTaken              the number belongs to an account
├── EmailTaken              the address belongs to an account
├── TooManyTries            a limit was reached
└── Busy                    the server would take too long
"""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The domain says no."""


class InvalidField(Refusal):
    """A value that can never be right.

    Attributes:
        field: its name on the wire.
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class NotSignedIn(Refusal):
    """There is no live session."""


class Banned(Refusal):
    """The account is banned."""


class VipOnly(Refusal):
    """A VIP feature without VIP."""


class UnknownUser(Refusal):
    """Nobody has this id."""


class WrongCaptcha(Refusal):
    """A captcha's answer is wrong, or it was used or has expired."""


class WrongCode(Refusal):
    """A code is wrong, used, expired, meant for something else, or had its five tries."""


class WrongEmailOrPassword(Refusal):
    """Address or password is wrong; which one is not told."""


class SignUpClosed(Refusal):
    """New numbers are not taken."""


class PhoneTaken(Refusal):
    """The number belongs to an account."""


class EmailTaken(Refusal):
    """The address belongs to an account."""


class TooManyTries(Refusal):
    """A limit was reached."""


class Busy(Refusal):
    """The server would take too long."""
