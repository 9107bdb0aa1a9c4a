"""Handlers of the lists that are empty without a message server (wire.md 8.2)."""

import hashlib

from hupan.api.routing import Services
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.messages.lists import BetaInfo, StickyList
from hupan.contract.pb.hupan_pb2 import (
    Contacts,
    Conversations,
    FriendRequests,
    ListContacts,
    ListConversations,
)
from hupan.model import Caller

EMPTY_LIST_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
"""Of the bytes of an empty list: a client compares it with that of the list that it has."""
_CONTACT_GROUPS = (("用户", 1), ("我加入的群聊", 2), ("机器人", 3))
_NO_CONTACTS = Contacts(
    data=[Contacts.Group(list_name=name, chat_type=kind) for name, kind in _CONTACT_GROUPS],
    md5=EMPTY_LIST_MD5,
)
_STICKY_LIST, _BETA_INFO, _NO_DATA = StickyList(), BetaInfo(), NoData()


async def list_conversations(
    _services: Services, _caller: Caller, _request: ListConversations
) -> Conversations:
    """List no conversations, whatever list the client has."""
    return Conversations(md5=EMPTY_LIST_MD5)


async def list_contacts(_services: Services, _caller: Caller, _request: ListContacts) -> Contacts:
    """List the three groups of an address book, each empty."""
    response = Contacts()
    response.CopyFrom(_NO_CONTACTS)
    return response


async def list_friend_requests(
    _services: Services, _caller: Caller, _request: IgnoredBody
) -> FriendRequests:
    """List no requests to become friends."""
    return FriendRequests()


async def list_sticky(_services: Services, _caller: Caller, _request: IgnoredBody) -> StickyList:
    """List no pinned conversations."""
    return _STICKY_LIST


async def change_conversations(
    _services: Services, _caller: Caller, _request: IgnoredBody
) -> NoData:
    """Accept a change of a list that is empty: there is nothing to dismiss, remove or sort."""
    return _NO_DATA


async def get_beta_info(_services: Services, _caller: Caller, _request: IgnoredBody) -> BetaInfo:
    """Return that the caller takes part in no beta test."""
    return _BETA_INFO
