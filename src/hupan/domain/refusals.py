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
├── PhoneBound              a number is bound already; it is changed, not bound
├── EmailBound              an address is bound already; it is changed, not bound
├── PhoneNotBound           there is no number to change
├── EmailNotBound           there is no address to change
├── ProofNeeded             what is bound now must be proved first (security D2)
├── OlderProofNeeded        the target that was bound earlier must prove it (security D2, A1)
├── PasswordTooShort        fewer characters than the server asks for
├── WeakPassword            a common password, or made of what is known of the account
├── TooLateToUndo           there is no such change that can still be undone
├── TooManyRemarks          the account notes about as many as are kept
├── RemarksFull             its notes are as long as is kept, all together
├── AccountCancelled        the account was cancelled; told only after the secret was right (E3)
├── InvitationCodeTaken     the invitation code belongs to an account
├── InvitationCodeChanged   an invitation code can be changed once, and it was
├── NotEnoughCoins          the balance would fall below zero
├── TooManyCoins            the balance would pass what the wire can say exactly
├── CoinKeyReused           the key of a change of coins named another one before
├── TooManyTries            a limit was reached
├── TooManyFromHere         too much came from one address, whoever it was (security C6, E4)
├── SendingStopped          the server has sent as many codes as it may in a day (security C11)
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


class PhoneBound(Refusal):
    """The account has a number; it is changed, not bound."""


class EmailBound(Refusal):
    """The account has an address; it is changed, not bound."""


class PhoneNotBound(Refusal):
    """The account has no number that could be changed."""


class EmailNotBound(Refusal):
    """The account has no address that could be changed."""


class ProofNeeded(Refusal):
    """The session must first prove to hold what is bound now (security D2)."""


class OlderProofNeeded(Refusal):
    """The other target was bound without proof, so what is reached by it proves nothing here."""


class PasswordTooShort(Refusal):
    """A new password has fewer characters than the server asks for.

    Attributes:
        least: how many it asks for.
    """

    def __init__(self, least: int) -> None:
        super().__init__(least)
        self.least = least


class WeakPassword(Refusal):
    """A new password is a common one, or made of what is known of the account (security P3)."""


class TooLateToUndo(Refusal):
    """There is no such change of a contact, or it was undone, or too much time has passed."""


class TooManyRemarks(Refusal):
    """The account has noted something about as many others as are kept."""


class RemarksFull(Refusal):
    """What the account noted is as long as is kept, all together."""


class AccountCancelled(Refusal):
    """The account was cancelled, and its number and address are not free again so far."""


class InvitationCodeTaken(Refusal):
    """The invitation code belongs, or belonged, to another account."""


class InvitationCodeChanged(Refusal):
    """The account changed its invitation code before; that is allowed once."""


class NotEnoughCoins(Refusal):
    """The balance would fall below zero."""


class TooManyCoins(Refusal):
    """The balance would pass what the wire can say exactly."""


class CoinKeyReused(Refusal):
    """The key of a change of coins named another change before."""


class TooManyTries(Refusal):
    """A limit was reached."""


class TooManyFromHere(Refusal):
    """Too much came from one address, or from those beside it, whoever it was."""


class SendingStopped(Refusal):
    """The server has sent as many codes as it may in a day."""


class Busy(Refusal):
    """The server would take too long."""
