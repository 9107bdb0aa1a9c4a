"""Tokens carry their account, and look like chance (wire.md 5, security T1)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.sessions import MAX_ACCOUNT_ID, Tokens
from hupan.model import AccountId
from hupan.rng import SystemRandomSource

pytestmark = pytest.mark.one_engine

SHAPE = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOKENS = Tokens(SecretBox(b"k" * KEY_BYTES), SystemRandomSource())
OTHERS = Tokens(SecretBox(b"o" * KEY_BYTES), SystemRandomSource())


@given(st.integers(0, MAX_ACCOUNT_ID))
def test_a_token_leads_to_its_account(account: int) -> None:
    """The account goes in and comes out; the text is UUID-shaped lower-case hex."""
    token = TOKENS.make(AccountId(account))
    assert SHAPE.fullmatch(token)
    assert TOKENS.account_of(token) == account


@given(st.text(max_size=60))
def test_other_text_leads_nowhere(text: str) -> None:
    """Whatever has not the shape of a token names no account, and never fails."""
    assert SHAPE.fullmatch(text) or TOKENS.account_of(text) is None


def test_tokens_share_nothing() -> None:
    """Ten thousand tokens of one account: none twice, every place takes every digit (T1)."""
    tokens = [TOKENS.make(AccountId(1_000_001)).replace("-", "") for _ in range(10_000)]
    assert len(set(tokens)) == len(tokens)
    for place in range(32):
        assert {token[place] for token in tokens} == set("0123456789abcdef")


def test_without_the_key_the_account_is_hidden() -> None:
    """Another server's key reads other accounts out of a token."""
    tokens = [TOKENS.make(AccountId(1_000_001)) for _ in range(100)]
    assert all(OTHERS.account_of(token) != 1_000_001 for token in tokens)
