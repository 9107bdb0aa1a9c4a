"""Handlers of the lists that are empty without a message server (wire.md 8.2)."""

import hashlib
import re

from hupan.api.app import Services, handles
from hupan.contract import lists
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.lists import BetaInfo, StickyList
from hupan.contract.pb.hupan_pb2 import (
    Contacts,
    Conversations,
    FriendRequests,
    ListContacts,
    ListConversations,
)
from hupan.errors import InvalidField
from hupan.model import Caller

EMPTY_LIST_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
"""The MD5 of an empty list: a client compares it with that of its own list."""
_MD5_TEXT = re.compile("[ -~]{0,64}")
_CONTACT_GROUPS = (("用户", 1), ("我加入的群聊", 2), ("机器人", 3))
_NO_CONTACTS = Contacts(
    data=[Contacts.Group(list_name=name, chat_type=kind) for name, kind in _CONTACT_GROUPS],
    md5=EMPTY_LIST_MD5,
)
_STICKY_LIST, _BETA_INFO, _NO_DATA = StickyList(), BetaInfo(), NoData()


@handles(lists.list_conversations)
async def list_conversations(
    _services: Services, _caller: Caller, request: ListConversations
) -> Conversations:
    """List no conversations, regardless of the client's list."""
    _check_md5(request.md5)
    return Conversations(md5=EMPTY_LIST_MD5)


@handles(lists.list_contacts)
async def list_contacts(_services: Services, _caller: Caller, request: ListContacts) -> Contacts:
    """List the three groups of an address book, each empty."""
    _check_md5(request.md5)
    response = Contacts()
    response.CopyFrom(_NO_CONTACTS)
    return response


def _check_md5(text: str) -> None:
    if not _MD5_TEXT.fullmatch(text):
        raise InvalidField("md5")


@handles(lists.list_friend_requests)
async def list_friend_requests(
    _services: Services, _caller: Caller, _request: IgnoredBody
) -> FriendRequests:
    """List no requests to become friends."""
    return FriendRequests()


@handles(lists.list_sticky)
async def list_sticky(_services: Services, _caller: Caller, _request: IgnoredBody) -> StickyList:
    """List no pinned conversations."""
    return _STICKY_LIST


@handles(lists.dismiss_notification, lists.remove_conversation, lists.sort_conversations)
async def change_conversations(
    _services: Services, _caller: Caller, _request: IgnoredBody
) -> NoData:
    """Accept a change of a list that is empty: there is nothing to dismiss, remove or sort."""
    return _NO_DATA


@handles(lists.get_beta_info)
async def get_beta_info(_services: Services, _caller: Caller, _request: IgnoredBody) -> BetaInfo:
    """Return that the caller takes part in no beta test."""
    return _BETA_INFO
