import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.delivery.sms_options import PlaceholderTemplate, escape_json, escape_url

NAMES = ("to", "text")


@given(value=st.text())
def test_json_value_survives(value: str) -> None:
    """Any text in a JSON template is read back as it was."""
    body = PlaceholderTemplate(
        "body", '{"a": [{"b": "<{text}>"}], "{text}": {}}', NAMES, escape_json
    )
    assert json.loads(body.fill({"text": value})) == {"a": [{"b": f"<{value}>"}], value: {}}


@given(value=st.text())
def test_form_value_survives(value: str) -> None:
    """Any text in a form is read back as it was, and adds no field."""
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
    """A value that looks like a placeholder is put in as it is."""
    filled = PlaceholderTemplate("body", '["{to}","{text}"]', NAMES, escape_json)
    assert filled.fill({"to": "{text}", "text": "{to}"}) == '["{text}","{to}"]'


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{phone}", r"^body: unknown placeholder \{phone\}; known are \{to\}, \{text\}$"),
        ("{ to }", "unknown placeholder"),
        ("{To}", "unknown placeholder"),
        ("{{to}}", "one brace a side"),
        ("{to", "unbalanced {"),
        ("to}", "unbalanced }"),
        ("}{to}{", "unbalanced }"),
    ],
)
def test_bad_template_is_refused_by_name(source: str, complaint: str) -> None:
    """A template that cannot mean what was meant is refused when it is built."""
    with pytest.raises(ValueError, match=complaint):
        PlaceholderTemplate("body", source, NAMES, escape_json)


def test_braces_of_nested_json_stay() -> None:
    """Balanced braces that are no placeholder belong to the text."""
    source = '{"Param": "{\\"code\\":\\"{to}\\"}"}'
    filled = PlaceholderTemplate("body", source, NAMES, escape_json).fill({"to": "493817"})
    assert json.loads(json.loads(filled)["Param"]) == {"code": "493817"}
