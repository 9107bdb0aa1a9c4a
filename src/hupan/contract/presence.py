"""JSON messages that clients send on the socket (wire.md 8.1)."""

from msgspec import Raw, Struct


class SocketCommand(Struct):
    """A text frame.

    `cmd` is `login`, `heartbeat` or `inputInfo`; any other is ignored. `seq` is returned.
    """

    seq: object = ""
    cmd: object = ""
    data: Raw = Raw(b"{}")


class SocketLogin(Struct):
    """The data of `login`: the token alone identifies the account, regardless of other fields."""

    token: object = ""


class SocketDraft(Struct, rename="camel"):
    """The data of `inputInfo`: what is being written, for the account's other devices."""

    chat_id: object = ""
    input: object = ""
