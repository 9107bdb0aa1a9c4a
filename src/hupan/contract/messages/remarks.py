"""What accounts note about each other (wire.md 4: save-user-remarks)."""

from msgspec import Struct

from hupan.contract.messages.fields import LineText, LongText, ShortText


class RemarkWanted(Struct, rename="camel"):
    """What shall be noted; `others` is "" or JSON text of [{"key", "value"}]."""

    friend_id: ShortText
    name: LineText
    phone: LineText
    others: LongText
