"""What only the web surface has (wire.md 4: homepage, info)."""

from decimal import Decimal

from msgspec import Struct

from hupan.contract.messages.fields import ShortText


class HomepageWanted(Struct, rename="camel"):
    """Asks for somebody's homepage, in the query."""

    user_id: ShortText


class HomepageMedal(Struct, rename="camel"):
    """A medal with all that is known of it."""

    id: int
    name: str
    desc: str
    image_url: str
    sort: int


class HomepageUser(Struct, rename="camel"):
    """Somebody as anybody may see them; a user that is not there has "" and 0 (wire.md 4).

    Attributes:
        register_time: unix seconds.
        register_time_text: the same as `YYYY-MM-DD hh:mm:ss` in the server's zone.
        on_line_day: days on which the account was seen.
        continuous_on_line_day: the last of them in a row.
        is_vip: 1 or 0.
    """

    user_id: str = ""
    nickname: str = ""
    avatar_url: str = ""
    register_time: int = 0
    register_time_text: str = ""
    on_line_day: int = 0
    continuous_on_line_day: int = 0
    medals: list[HomepageMedal] = []
    is_vip: int = 0


class Homepage(Struct, rename="camel"):
    """The user in its wrapper."""

    user: HomepageUser


class WebUser(Struct, rename="camel"):
    """The caller's own account; here `avatarId` is a text (wire.md 4)."""

    user_id: str
    nickname: str
    phone: str
    avatar_id: str
    avatar_url: str
    gold_coin_amount: Decimal


class WebInfo(Struct, rename="camel"):
    """The caller in its wrapper."""

    user: WebUser
