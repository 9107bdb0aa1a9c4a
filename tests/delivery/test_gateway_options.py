import pytest

from hupan.delivery.sms_options import GatewayOptions
from tests.delivery.samples import PASSWORD

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
        ({"body": '{"to": {to}}'}, "^body: is no JSON"),
        ({"body": '{"to": "{to}"'}, "^body: unbalanced {"),
        ({"body": "{to}"}, "^body: is no JSON"),
        ({"body": '"\udcff"'}, "^body: is no JSON"),
        (
            {"body": "a = {to}", "content_type": "application/x-www-form-urlencoded"},
            "^body: is no encoded form",
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
    """A setting that cannot work is refused by name, and no key is quoted."""
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
