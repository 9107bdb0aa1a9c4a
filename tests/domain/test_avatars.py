"""Addresses of avatars: a corpus of good and bad ones (security U1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.domain.profiles import parse_avatar_url
from hupan.errors import InvalidField

pytestmark = pytest.mark.one_engine

FIELD = "url"
LONGEST = "https://a.example/" + "x" * 494

SAME = [
    "https://chat-img.example.com/a.png",
    "http://chat-img.example.com/a.png",
    "https://img.example.com/a/b/c/d.webp",
    "https://img.example.com/a.png?v=1",
    "https://img.example.com/a.png?x=1&y=2&x=3",
    "https://img.example.com/a.png?imageView2/2/w/100|watermark/1",
    "https://img.example.com/a.png?list[]=1&list[]=2",
    "https://img.example.com/a.png?u=http://other.example/b.png",
    "https://img.example.com/a.png?a=b?c=d",
    "https://img.example.com/a.png?sign=a+b/c==",
    "https://img.example.com/a.png?e=1&token=AbC:dEf_g-h=",
    "https://img.example.com/a%20b.png",
    "https://img.example.com/%E5%A4%B4%E5%83%8F.png",
    "https://img.example.com/%C4%E3.png",
    "https://img.example.com/a//b.png",
    "https://img.example.com/a/../b.png",
    "https://img.example.com/a@2x.png",
    "https://img.example.com/a:b;c,d=e!f$g&h(i)*j~k.png",
    "https://img.example.com:8443/a.png",
    "http://img.example.com:443/a.png",
    "https://img.example.com:80/a.png",
    "https://img-1.a_b.example.com/a.png",
    "https://example/a.png",
    "https://localhost:9000/a.png",
    "https://1.example.com/a.png",
    "https://1a/a.png",
    "http://192.0.2.7/a.png",
    "http://[2001:db8::1]/a.png",
    "http://[::1]:8080/a.png",
    "https://img.example.com/",
    "https://img.example.com/?x=1",
    LONGEST,
]
WRITTEN_ANEW = [
    ("HTTPS://IMG.Example.COM/A.png", "https://img.example.com/A.png"),
    ("hTTp://img.example.com/a.png", "http://img.example.com/a.png"),
    ("https://img.example.com", "https://img.example.com/"),
    ("https://img.example.com?x=1", "https://img.example.com/?x=1"),
    ("https://img.example.com/a.png?", "https://img.example.com/a.png"),
    ("https://img.example.com:443/a.png", "https://img.example.com/a.png"),
    ("http://img.example.com:80/a.png", "http://img.example.com/a.png"),
    ("http://img.example.com:08080/a.png", "http://img.example.com:8080/a.png"),
    ("http://[2001:DB8:0:0::1]/a.png", "http://[2001:db8::1]/a.png"),
    ("http://[::ffff:192.0.2.7]/a.png", "http://[::ffff:c000:207]/a.png"),
    ("https://img.example.com/头像.png", "https://img.example.com/%E5%A4%B4%E5%83%8F.png"),
    ("https://img.example.com/a.png?名=湖", "https://img.example.com/a.png?%E5%90%8D=%E6%B9%96"),
    ("https://img.example.com/😀.png", "https://img.example.com/%F0%9F%98%80.png"),
    ("https://img.example.com/a'b.png", "https://img.example.com/a%27b.png"),
    ("https://img.example.com/a.png?x='y'", "https://img.example.com/a.png?x=%27y%27"),
    ("https://img.example.com/{a}^b.png", "https://img.example.com/%7Ba%7D%5Eb.png"),
    ("https://img.example.com/a|b.png", "https://img.example.com/a%7Cb.png"),
]
OTHER_SCHEMES = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "javascript://img.example.com/%0aalert(1)",
    "java\tscript:alert(1)",
    "data:image/png;base64,AAAA",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "file://img.example.com/a.png",
    "ftp://img.example.com/a.png",
    "ftps://img.example.com/a.png",
    "ws://img.example.com/a.png",
    "wss://img.example.com/a.png",
    "blob:https://img.example.com/0000",
    "filesystem:https://img.example.com/a",
    "content://media/1",
    "intent://img.example.com/#Intent;end",
    "view-source:https://img.example.com/",
    "about:blank",
    "mailto:a@example.com",
    "gopher://img.example.com/",
    "ldap://img.example.com/",
    "jar:https://img.example.com/a!/b",
    "httpss://img.example.com/a.png",
    "xhttp://img.example.com/a.png",
    "http+unix://img.example.com/a.png",
    "http\u017f://img.example.com/a.png",
    "\uff48ttps://img.example.com/a.png",
]
NOT_WHOLE = [
    "",
    " ",
    "/",
    "a.png",
    "/a.png",
    "//img.example.com/a.png",
    "///img.example.com/a.png",
    "://img.example.com/a.png",
    "img.example.com/a.png",
    "https",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:///a.png",
    "https:/img.example.com/a.png",
    "https:img.example.com/a.png",
    "https:////img.example.com/a.png",
    "https://?x=1",
    "https://:443/a.png",
    "https//img.example.com/a.png",
    "null",
    "undefined",
]
USERS_AND_FRAGMENTS = [
    "https://user@img.example.com/a.png",
    "https://user:secret@img.example.com/a.png",
    "https://@img.example.com/a.png",
    "https://:@img.example.com/a.png",
    "https://img.example.com@evil.example/a.png",
    "https://img.example.com:443@evil.example/a.png",
    "https://img.example.com%40evil.example/a.png",
    "https://img.example.com/a.png#",
    "https://img.example.com/a.png#top",
    "https://img.example.com#@evil.example/",
    "https://img.example.com/a.png?x=1#y",
]
BACKSLASHES = [
    "https:\\\\img.example.com\\a.png",
    "\\\\img.example.com\\a.png",
    "/\\img.example.com/a.png",
    "https:/\\img.example.com/a.png",
    "https://img.example.com\\a.png",
    "https://img.example.com\\@evil.example/a.png",
    "https://img.example.com/a\\b.png",
    "https://img.example.com/a.png?x=\\y",
]
UNSEEN = [
    " https://img.example.com/a.png",
    "https://img.example.com/a.png ",
    "https://img.example.com/a b.png",
    "https://img.example.com/a.png?x=a b",
    "https://img.example .com/a.png",
    "https://img.example.com/\u3000a.png",
    "https://img.example.com/\u00a0a.png",
    "\thttps://img.example.com/a.png",
    "https://img.example.com/a.png\n",
    "https://img.example.com/a.png\r\nx: y",
    "https://img.example.com/a\x00.png",
    "https://img.example.com/a\x1b.png",
    "https://img.example.com/a\x7f.png",
    "https://img.example.com/a\x85.png",
    "https://img.example.com/gnp.\u202ea",
    "https://img.example.com/\u2066a\u2069.png",
    "https://img.example.com/a\u200e.png",
    "https://img.example.com/a\u200b.png",
    "https://img.example.com/a\ufeff.png",
    "https://img.example.com/a\ue000.png",
    "https://img.example.com/a\ud83d.png",
    "https://img.example.com/a\u2028.png",
    "https://img.example.com/%00.png",
    "https://img.example.com/a%0d%0ax:y",
    "https://img.example.com/a%09.png",
    "https://img.example.com/a%1b.png",
    "https://img.example.com/a%7F.png",
    "https://img.example.com/%e2%80%aea.png",
    "https://img.example.com/a.png?x=%E2%80%8B",
    "https://img.example.com/a%.png",
    "https://img.example.com/a%2",
    "https://img.example.com/a%zz.png",
    "https://img.example.com/a.png?%u5934",
    "https://img.example.com/<a>.png",
    'https://img.example.com/"a".png',
    "https://img.example.com/`a`.png",
    'https://img.example.com/a.png?"onload="x',
]
HOSTS_TO_REFUSE = [
    "https://еxample.com/a.png",  # Cyrillic
    "https://exаmple.com/a.png",  # Cyrillic
    "https://\uff45xample.com/a.png",
    "https://examp\u2113e.com/a.png",
    "https://头像.example/a.png",
    "https://xn--e1awd7f.com/a.png",
    "https://XN--80AK6AA92E.com/a.png",
    "https://img.xn--fiqs8s/a.png",
    "https://img\u3002example\u3002com/a.png",
    "https://img.example.com\u2215evil.example/a.png",
    "https://img\uff0eexample.com/a.png",
    "https://img..example.com/a.png",
    "https://.example.com/a.png",
    "https://img.example.com./a.png",
    "https://-img.example.com/a.png",
    "https://img-.example.com/a.png",
    "https://" + "a" * 64 + ".example/a.png",
    "https://" + "a." * 127 + "example/a.png",
    "https://img%2eexample.com/a.png",
    "https://img,example.com/a.png",
    "https://img;example.com/a.png",
    "https://*.example.com/a.png",
    "http://2130706433/a.png",
    "http://0x7f000001/a.png",
    "http://0x7f.0.0.1/a.png",
    "http://127.1/a.png",
    "http://0177.0.0.1/a.png",
    "http://127.0.0.01/a.png",
    "http://127.0.0.256/a.png",
    "http://127.0.0.0x1/a.png",
    "http://1.2.3.4.5/a.png",
    "http://\u0661.2.3.4/a.png",
    "http://①②⑦.0.0.1/a.png",
    "http://[::1/a.png",
    "http://::1/a.png",
    "http://[]/a.png",
    "http://[::1%25eth0]/a.png",
    "http://[fe80::1%eth0]/a.png",
    "http://[1:2:3:4:5:6:7:8:9]/a.png",
    "http://[v1.a]/a.png",
    "http://[img.example.com]/a.png",
    "https://img.example.com:/a.png",
    "https://img.example.com:0/a.png",
    "https://img.example.com:65536/a.png",
    "https://img.example.com:123456/a.png",
    "https://img.example.com:-1/a.png",
    "https://img.example.com:+80/a.png",
    "https://img.example.com:80a/a.png",
    "https://img.example.com:\u0668\u0660/a.png",
    "https://img.example.com:80:80/a.png",
    LONGEST + "x",
    "https://a.example/" + "湖" * 60,
    "https://a.example/" + "x" * 100_000,
]
REFUSED = [
    *OTHER_SCHEMES,
    *NOT_WHOLE,
    *USERS_AND_FRAGMENTS,
    *BACKSLASHES,
    *UNSEEN,
    *HOSTS_TO_REFUSE,
]
ALLOWED = ("img.example.com", "*.cdn.example", "192.0.2.7", "[2001:db8::1]")


def test_the_corpus_is_whole() -> None:
    """The corpus is complete and has no duplicates."""
    assert len(set(SAME) | set(REFUSED)) + len(WRITTEN_ANEW) >= 150
    assert len(set(REFUSED)) == len(REFUSED)


def test_a_good_address_is_kept_as_it_is(subtests: pytest.Subtests) -> None:
    """Path and query stay unchanged."""
    for text in SAME:
        with subtests.test(text=text):
            assert parse_avatar_url(text, FIELD) == text


def test_a_url_is_normalised(subtests: pytest.Subtests) -> None:
    """Scheme, host and port are normalised; non-ASCII characters are escaped."""
    for text, kept in WRITTEN_ANEW:
        with subtests.test(text=text, kept=kept):
            assert parse_avatar_url(text, FIELD) == kept


def test_a_bad_address_is_refused(subtests: pytest.Subtests) -> None:
    """The refusal has the field's wire name."""
    for text in REFUSED:
        with subtests.test(text=text):
            with pytest.raises(InvalidField) as refusal:
                parse_avatar_url(text, FIELD)
            assert refusal.value.field == FIELD


def test_a_listed_host_is_taken(subtests: pytest.Subtests) -> None:
    """The list has the host itself, or a wildcard for its subdomains."""
    for text in [
        "https://img.example.com/a.png",
        "https://IMG.example.com:8443/a.png",
        "https://a.cdn.example/a.png",
        "https://a.b.cdn.example/a.png",
        "http://192.0.2.7/a.png",
        "http://[2001:DB8:0::1]/a.png",
    ]:
        with subtests.test(text=text):
            assert parse_avatar_url(text, FIELD, ALLOWED)


def test_an_unlisted_host_is_refused(subtests: pytest.Subtests) -> None:
    """A list excludes all other hosts."""
    for text in [
        "https://example.com/a.png",
        "https://a.img.example.com/a.png",
        "https://img.example.com.evil.example/a.png",
        "https://evilimg.example.com/a.png",
        "https://cdn.example/a.png",
        "https://evilcdn.example/a.png",
        "https://a.cdn.example.evil.example/a.png",
        "http://192.0.2.8/a.png",
    ]:
        with subtests.test(text=text), pytest.raises(InvalidField):
            parse_avatar_url(text, FIELD, ALLOWED)


@pytest.mark.slow
@given(
    st.one_of(
        st.text(max_size=60),
        st.text(max_size=40).map(lambda rest: f"https://{rest}"),
        st.text(max_size=40).map(lambda rest: f"http://a.example/{rest}"),
    )
)
def test_what_is_taken_is_plain(text: str) -> None:
    """A valid URL is ASCII without blanks, quotes, angle brackets, backslash, user or fragment."""
    try:
        url = parse_avatar_url(text, FIELD)
    except InvalidField:
        return
    assert url.isascii()
    assert url.isprintable()
    assert not set(url) & set(" \"'<>\\`#")
    assert url.startswith(("http://", "https://"))
    assert "@" not in url.split("/")[2]
    assert len(url) <= 512
    assert parse_avatar_url(url, FIELD) == url
