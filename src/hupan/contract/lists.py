"""Messages of the lists that are empty without a message server (wire.md 8.2)."""

from msgspec import Struct

from hupan.contract.endpoints import SESSION, IgnoredBody, NoData, Note, app
from hupan.contract.pb.hupan_pb2 import (
    Contacts,
    Conversations,
    FriendRequests,
    ListContacts,
    ListConversations,
)


class StickyList(Struct):
    """The pinned conversations.

    Attributes:
        sticky: always empty.
    """

    sticky: list[str] = []


class BetaInfo(Struct):
    """The caller's part in a beta test.

    Attributes:
        beta: always "noapply".
        info: always "".
    """

    beta: str = "noapply"
    info: str = ""


class FriendRequestList(Struct, rename={"requests": "list"}):
    """The requests to become friends, for a client that sends JSON.

    Attributes:
        requests: always empty.
    """

    requests: list[str] = []


_CHANGE_CONVERSATIONS = (
    Note(
        "D",
        "Changes nothing: the list of conversations is empty.",
        "不做任何事：会话列表为空。",
    ),
)
_EMPTY_LIST = (
    Note(
        "D",
        "Always empty: Hupan keeps accounts, and lists are a message server's ([decision "
        "39](decisions/0039-first-screen.md)).",
        "总是为空：湖畔只管理账号，列表属于消息服务器（[决定 "
        "39](decisions/0039-first-screen.md)）。",
    ),
)
list_conversations = app.post(
    "/v1/conversation/list",
    SESSION,
    ListConversations,
    Conversations,
    upstream=True,
    sample=ListConversations(md5="0"),
    source="C",
    notes=_EMPTY_LIST,
)
list_contacts = app.post(
    "/v1/friend/address-book-list",
    SESSION,
    ListContacts,
    Contacts,
    upstream=True,
    sample=ListContacts(md5="0"),
    source="C",
    notes=(
        Note(
            "D",
            "Three groups (users, groups, bots), each empty; `md5` is that of an empty list, and "
            "the same `md5` in the request changes nothing ([decision "
            "39](decisions/0039-first-screen.md)).",
            "用户、群聊、机器人三组，均为空；`md5` 为空列表的值，请求带有相同的 `md5` 时响应不变"
            "（[决定 39](decisions/0039-first-screen.md)）。",
        ),
    ),
)
list_friend_requests = app.post(
    "/v1/friend/request-list",
    SESSION,
    IgnoredBody,
    FriendRequests,
    json_data=FriendRequestList,
    upstream=True,
    source="C",
    notes=(
        Note(
            "C",
            "One client sends JSON and reads `data.list`: a body that begins with `{` is answered "
            "in JSON, under any content type.",
            "有一个客户端发送 JSON 并读取 `data.list`：以 `{` 开头的请求体一律得到 JSON 响应，与"
            "内容类型无关。",
        ),
        *_EMPTY_LIST,
    ),
)
list_sticky = app.post(
    "/v1/sticky/list",
    SESSION,
    IgnoredBody,
    StickyList,
    upstream=True,
    source="C",
    notes=_EMPTY_LIST,
)
dismiss_notification = app.post(
    "/v1/conversation/dismiss-notification",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=_CHANGE_CONVERSATIONS,
)
remove_conversation = app.post(
    "/v1/conversation/remove",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=_CHANGE_CONVERSATIONS,
)
sort_conversations = app.post(
    "/v1/conversation/sort-change",
    SESSION,
    IgnoredBody,
    NoData,
    upstream=True,
    source="C",
    notes=_CHANGE_CONVERSATIONS,
)
get_beta_info = app.post(
    "/v1/beta/info",
    SESSION,
    IgnoredBody,
    BetaInfo,
    upstream=True,
    source="C",
    notes=(
        Note(
            "D",
            "Always `noapply`.",
            "总是 `noapply`。",
        ),
    ),
)
