import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.delivery.sms_options import GatewayOptions, PlaceholderTemplate, escape_json, escape_url
from tests.support.delivery_samples import PASSWORD

pytestmark = pytest.mark.slow

JSON_BODY = '{"to": "{to}", "text": "{text}", "at": {timestamp}}'


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"url": "http://sms.example/"}, "^url: http is for loopback"),
        ({"url": "ftp://127.0.0.1/"}, "^url: must be https"),
        ({"url": "https:///path"}, "^url: must be https"),
        ({"url": f"https://u:{PASSWORD}@sms.example/"}, "^url: no placeholder or login"),
        ({"url": "https://{to}.example/"}, "^url: no placeholder or login"),
        ({"url": "https://sms.example:port/"}, "^url: cannot be read"),
        ({"url": "https://[sms/"}, "^url: cannot be read"),
        ({"url": "https://sms.example/\r\n"}, "^url: must be printable"),
        ({"url": "https://sms.example/#x"}, "^url: no fragment"),
        ({"url": "https://sms.example/{mobile}"}, r"^url: unknown placeholder \{mobile\}"),
        ({"url": "https://sms.example/?a={to"}, "^url: unbalanced {"),
        ({"body": '{"to": "{mobile}"}'}, r"^body: unknown placeholder \{mobile\}"),
        ({"body": '{"to": "{to"}'}, "^body: unbalanced {"),
        ({"body": '{"to": {to}}'}, "^body: is not JSON"),
        ({"body": '{"to": "{to}"'}, "^body: unbalanced {"),
        ({"body": "{to}"}, "^body: is not JSON"),
        ({"body": '"\udcff"'}, "^body: is not JSON"),
        (
            {"body": "a = {to}", "content_type": "application/x-www-form-urlencoded"},
            "^body: is not an encoded form",
        ),
        ({"content_type": "text/xml"}, "^content_type"),
        ({"content_type": "application/json; a=\n"}, "^content_type"),
        ({"method": "DELETE"}, "^method"),
        ({"method": "GET"}, "^body: a GET request"),
        ({"headers": {"X-To": "{mobile}"}}, r"^headers: X-To: unknown placeholder \{mobile\}"),
        ({"headers": {"X-Text": "{text}"}}, r"^headers: X-Text: unknown placeholder \{text\}"),
        ({"headers": {"X-A": "a\r\nb"}}, "^headers: the value of X-A"),
        ({"headers": {"X A": "a"}}, "^headers: 'X A'"),
        ({"headers": {"Idempotency-Key": "a"}}, "^headers: Idempotency-Key is set"),
        ({"headers": {"x-a": "1", "X-A": "2"}}, "^headers: one name is given twice"),
        ({"hmac_header": "Content-Length"}, "^hmac_header: Content-Length is set"),
        ({"hmac_secret": "\udcff"}, "^hmac_secret"),
        ({"timeout_seconds": 0}, "^timeout_seconds"),
    ],
)
def test_bad_options_are_refused_when_built(changes: dict[str, object], complaint: str) -> None:
    """An invalid setting is refused by name, and no key is quoted."""
    fields: dict[str, object] = {"url": "https://sms.example/", "body": JSON_BODY}
    with pytest.raises(ValueError, match=complaint) as refused:
        GatewayOptions(**(fields | changes))  # type: ignore[arg-type]  # wrong on purpose
    assert PASSWORD not in str(refused.value)
    assert refused.value.__context__ is None or PASSWORD not in str(refused.value.__context__)


def test_repr_keeps_every_key() -> None:
    """Options can be logged: url, headers, body and secret are left out."""
    shown = repr(
        GatewayOptions(
            f"https://sms.example/?key={PASSWORD}",
            headers={"Authorization": PASSWORD},
            body=f'{{"key": "{PASSWORD}"}}',
            hmac_secret=PASSWORD,
        )
    )
    assert PASSWORD not in shown


NAMES = ("to", "text")


@given(value=st.text())
def test_json_value_survives(value: str) -> None:
    """Any text in a JSON template is read back unchanged."""
    body = PlaceholderTemplate(
        "body", '{"a": [{"b": "<{text}>"}], "{text}": {}}', NAMES, escape_json
    )
    assert json.loads(body.fill({"text": value})) == {"a": [{"b": f"<{value}>"}], value: {}}


@given(value=st.text())
def test_form_value_survives(value: str) -> None:
    """Any text in a form is read back unchanged, and adds no field."""
    filled = PlaceholderTemplate("body", "to={to}&x=1", NAMES, escape_url).fill({"to": value})
    assert parse_qs(filled, keep_blank_values=True) == {"to": [value], "x": ["1"]}


@given(value=st.text())
def test_url_value_survives(value: str) -> None:
    """Any text in a URL stays within its path segment and its query field."""
    filled = PlaceholderTemplate("url", "/a/{to}/b?c={to}", NAMES, escape_url).fill({"to": value})
    parts = urlsplit(filled)
    assert [unquote(step) for step in parts.path.split("/")] == ["", "a", value, "b"]
    assert parse_qs(parts.query, keep_blank_values=True) == {"c": [value]}


def test_value_is_not_read_as_a_template() -> None:
    """A value that looks like a placeholder is inserted unchanged."""
    filled = PlaceholderTemplate("body", '["{to}","{text}"]', NAMES, escape_json)
    assert filled.fill({"to": "{text}", "text": "{to}"}) == '["{text}","{to}"]'


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{phone}", r"^body: unknown placeholder \{phone\}; known are \{to\}, \{text\}$"),
        ("{ to }", "unknown placeholder"),
        ("{To}", "unknown placeholder"),
        ("{{to}}", "one brace on each side"),
        ("{to", "unbalanced {"),
        ("to}", "unbalanced }"),
        ("}{to}{", "unbalanced }"),
    ],
)
def test_bad_template_is_refused_by_name(source: str, complaint: str) -> None:
    """A faulty template is refused when it is built."""
    with pytest.raises(ValueError, match=complaint):
        PlaceholderTemplate("body", source, NAMES, escape_json)


def test_braces_of_nested_json_stay() -> None:
    """Balanced braces that are no placeholder belong to the text."""
    source = '{"Param": "{\\"code\\":\\"{to}\\"}"}'
    filled = PlaceholderTemplate("body", source, NAMES, escape_json).fill({"to": "493817"})
    assert json.loads(json.loads(filled)["Param"]) == {"code": "493817"}
