"""Handler of the search of the home screen (wire.md 8.3)."""

from hupan.api.app import Services, handles
from hupan.contract import search
from hupan.contract.search import (
    HomeSearchRequest,
    HomeSearchResult,
    SearchHit,
    SearchHits,
)
from hupan.model import Bot, Caller, FoundAccount, Group

USER, GROUP, BOT = 1, 2, 3


@handles(search.home_search)
async def home_search(
    services: Services, _caller: Caller, request: HomeSearchRequest
) -> HomeSearchResult:
    """Find users, groups and bots."""
    found = await services.search.search(request.word)
    return HomeSearchResult(
        [
            SearchHits(
                "用户", [_user_hit(services, one, found.word) for one in found.users] or None
            ),
            SearchHits("群组", [_hit(GROUP, one, found.word) for one in found.groups] or None),
            SearchHits("机器人", [_hit(BOT, one, found.word) for one in found.bots] or None),
        ]
    )


def _user_hit(services: Services, found: FoundAccount, word: str) -> SearchHit:
    hit = _hit(USER, found, word)
    hit.avatar_url = services.media.addresses.shown(found.id, found.avatar_url)
    return hit


def _hit(kind: int, found: FoundAccount | Group | Bot, word: str) -> SearchHit:
    return SearchHit(str(found.id), kind, found.name, found.name, found.avatar_url, word)
