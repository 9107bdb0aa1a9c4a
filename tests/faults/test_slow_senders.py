"""A slow or dead sender delays no request (security R07)."""

from pathlib import Path

import pytest

from tests.soak.body import size
from tests.support.code_requests import GATEWAY_THREADS, SENDS_AT_ONCE, SMS, asking, until
from tests.support.ports import free_port
from tests.support.slow_senders import (
    Talk,
    failing,
    mute_after_data,
    permanent,
    silent_gateway,
    sound,
    tar_pit,
    temporary,
)

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CODES = 24
LIFE_SECONDS = 6


@pytest.mark.parametrize("talk", [tar_pit, mute_after_data])
def test_codes_are_promised_while_all_mail_hangs(tmp_path: Path, talk: Talk) -> None:
    """With every send stuck, further requests for codes are answered, and no thread starts."""
    with failing(talk) as post, asking(tmp_path, post.port) as our:
        for _ in range(SENDS_AT_ONCE):
            our.request_code()
        until(lambda: post.open == SENDS_AT_ONCE)
        threads = size(our.server.process.pid).threads
        for _ in range(CODES):
            our.request_code()
        assert our.wire.post("user/captcha").code == 1
        assert (post.open, post.connections) == (SENDS_AT_ONCE, SENDS_AT_ONCE)
        assert size(our.server.process.pid).threads <= threads
        assert our.server.stop() == 0


def test_codes_are_promised_while_the_gateway_hangs(tmp_path: Path) -> None:
    """A gateway that never answers uses four threads, with any number of messages waiting."""
    with failing(silent_gateway) as gateway, asking(tmp_path, gateway.port) as our:
        our.wire.post("user/captcha")
        threads = size(our.server.process.pid).threads
        for _ in range(CODES):
            our.request_code(SMS)
        until(lambda: gateway.open == GATEWAY_THREADS)
        for _ in range(CODES):
            our.request_code(SMS)
        assert gateway.connections == GATEWAY_THREADS
        assert size(our.server.process.pid).threads <= threads + GATEWAY_THREADS
        assert our.server.stop() == 0


def test_a_mail_of_unknown_fate_is_not_sent_twice(tmp_path: Path) -> None:
    """Each unacknowledged code is sent once, and never retried."""
    with (
        failing(mute_after_data) as post,
        asking(tmp_path, post.port, HUPAN_SMTP_TIMEOUT_SECONDS="1") as our,
    ):
        for _ in range(CODES):
            our.request_code()
        until(lambda: our.said("may have been sent") == CODES)
        until(lambda: post.open == 0)
        assert post.connections == len(post.mails) == CODES
        assert set(post.mails.values()) == {1}


def test_a_refusal_for_good_is_not_tried_again(tmp_path: Path) -> None:
    """A 5xx ends a message at its first attempt."""
    with failing(permanent) as post, asking(tmp_path, post.port) as our:
        for _ in range(CODES):
            our.request_code()
        until(lambda: our.said("was not sent") == CODES)
        until(lambda: our.waiting() == 0)
        assert post.connections == CODES


def test_a_refusal_for_now_is_tried_until_the_code_is_dead(tmp_path: Path) -> None:
    """A 4xx is retried until the code expires."""
    with (
        failing(temporary) as post,
        asking(tmp_path, post.port, HUPAN_CODE_LIFETIME_SECONDS=str(LIFE_SECONDS)) as our,
    ):
        for _ in range(CODES):
            our.request_code()
        until(lambda: post.connections > CODES)
        until(lambda: our.waiting() == 0)
        assert post.mails.total() == 0


def test_a_server_that_is_down_gets_its_mail_later(tmp_path: Path) -> None:
    """Without a listener mails wait; after its restart each valid code arrives, once."""
    port = free_port()
    with asking(tmp_path, port) as our:
        for _ in range(CODES):
            our.request_code()
        until(lambda: our.said("was not sent") > 0)
        assert our.server.stop() == 0
        with failing(sound, port) as post:
            our.server.start()
            until(lambda: len(post.mails) == CODES)
            assert our.server.stop() == 0
            assert set(post.mails.values()) == {1}
