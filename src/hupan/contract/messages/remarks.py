"""What accounts note about each other (wire.md 4: save-user-remarks)."""

from msgspec import Struct

from hupan.contract.messages.fields import LineText, LongText, ShortText


class RemarkWanted(Struct, rename="camel"):
    """What shall be noted; nothing but blanks forgets the remark.

    Attributes:
        friend_id: the id of another account.
        name: at most 32 characters.
        phone: free text, at most 64 characters.
        others: "" or JSON text of `[{"key", "value"}]`, at most 20 pairs.
    """

    friend_id: ShortText
    name: LineText
    phone: LineText
    others: LongText
