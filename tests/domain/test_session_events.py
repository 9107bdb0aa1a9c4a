"""A stream of ended sessions with a slow reader (wire.md 8.5)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hupan.domain import session_events
from hupan.domain.session_ends import OnSessionEnd, SessionEndFeed, SessionEndSubscription
from hupan.domain.session_events import SessionEvents
from hupan.model import AccountId
from hupan.store.sessions import SessionEnd
from tests.support.world import open_world

pytestmark = pytest.mark.one_engine


class Feed(SessionEndFeed):
    """A feed that delivers what a test sends."""

    tell: OnSessionEnd

    def subscribe(
        self, on_end: OnSessionEnd, on_gap: Callable[[], None] = lambda: None
    ) -> SessionEndSubscription:
        """Keep the subscriber's function."""
        self.tell = on_end
        return super().subscribe(on_end, on_gap)


async def test_a_reader_that_is_behind_gets_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It advances even if more ended than fit, and resumes before the first omitted one."""
    monkeypatch.setattr(session_events, "MAX_UNREAD_EVENTS", 3)
    async with open_world(tmp_path / "hupan.db") as world:
        feed = Feed(world.engine)
        with SessionEvents(feed, 0, 1_000_000.0) as events:
            for number in range(1, 6):
                feed.tell(SessionEnd(AccountId(number), bytes(32), "", "expired", 1, number))
            first = await events.next()
            feed.tell(SessionEnd(AccountId(6), bytes(32), "", "expired", 1, 6))
            rest = [await events.next() for _ in range(3)]
    assert first is not None
    assert [event and event.sub for event in (first, *rest)] == ["1", "2", "3", None]
