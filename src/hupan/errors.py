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


class AppError(Exception):
    """The domain says no."""


class InvalidField(AppError):
    """A value that can never be right.

    Attributes:
        field: its name on the wire.
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class NotSignedIn(AppError):
    """There is no live session."""


class Banned(AppError):
    """The account is banned."""


class VipOnly(AppError):
    """A VIP feature without VIP."""


class UnknownUser(AppError):
    """Nobody has this id."""


class WrongCaptcha(AppError):
    """A captcha's answer is wrong, or it was used or has expired."""


class WrongCode(AppError):
    """A code is wrong, used, expired, meant for something else, or had its five tries."""


class WrongEmailOrPassword(AppError):
    """Address or password is wrong; which one is not told."""


class SignUpClosed(AppError):
    """New numbers are not taken."""


class PhoneTaken(AppError):
    """The number belongs to an account."""


class EmailTaken(AppError):
    """The address belongs to an account."""


class PhoneBound(AppError):
    """The account has a number; it is changed, not bound."""


class EmailBound(AppError):
    """The account has an address; it is changed, not bound."""


class PhoneNotBound(AppError):
    """The account has no number that could be changed."""


class EmailNotBound(AppError):
    """The account has no address that could be changed."""


class ProofNeeded(AppError):
    """The session must first prove to hold what is bound now (security D2)."""


class OlderProofNeeded(AppError):
    """The other target was bound without proof, so what is reached by it proves nothing here."""


class PasswordTooShort(AppError):
    """A new password has fewer characters than the server asks for.

    Attributes:
        min_characters: how many it asks for.
    """

    def __init__(self, min_characters: int) -> None:
        super().__init__(min_characters)
        self.min_characters = min_characters


class WeakPassword(AppError):
    """A new password is a common one, or made of what is known of the account (security P3)."""


class TooLateToUndo(AppError):
    """There is no such change of a contact, or it was undone, or too much time has passed."""


class TooManyRemarks(AppError):
    """The account has noted something about as many others as are kept."""


class RemarksFull(AppError):
    """What the account noted is as long as is kept, all together."""


class AccountCancelled(AppError):
    """The account was cancelled, and its number and address are not free again so far."""


class InvitationCodeTaken(AppError):
    """The invitation code belongs, or belonged, to another account."""


class InvitationCodeChanged(AppError):
    """The account changed its invitation code before; that is allowed once."""


class NotEnoughCoins(AppError):
    """The balance would fall below zero."""


class TooManyCoins(AppError):
    """The balance would pass what the wire can say exactly."""


class CoinKeyReused(AppError):
    """The key of a change of coins named another change before."""


class TooManyTries(AppError):
    """A limit was reached."""


class TooManyFromHere(AppError):
    """Too much came from one address, or from those beside it, whoever it was."""


class SendingStopped(AppError):
    """The server has sent as many codes as it may in a day."""


class Busy(AppError):
    """The server would take too long."""
