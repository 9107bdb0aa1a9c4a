"""Forms of what limits are made of: countries, targets, moments."""

from datetime import UTC, datetime

from hupan.config.forms import Form, as_text, matching
from hupan.config.web_forms import many
from hupan.config.wording import Wording

_COUNTRY = matching("[A-Z]{2}", "国家或地区代码，如 HK", "a code of a country such as HK")
_TARGET = matching(
    r"[0-9０-９+＋()（）.．\s\-－\u00b7\u2010-\u2015\u2212"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{7,60}"
    r"|[^\s@,]{1,64}@[^\s@,]{1,255}",
    "手机号或邮箱",
    "a phone number or an e-mail address",
)
COUNTRIES = Form(
    Wording("国家或地区代码列表，如 HK, SG", "codes of countries such as HK, SG"),
    lambda raw: many(raw, _COUNTRY),
)
TARGETS = Form(
    Wording("手机号与邮箱列表", "phone numbers and e-mail addresses"),
    lambda raw: many(raw, _TARGET),
)


def unix_seconds(text: str) -> int:
    """The time that a text of `MOMENT` names."""
    return int(datetime.fromisoformat(text).timestamp())


def _read_moment(raw: object) -> str:
    """Reads a time of TOML, or its text; with an offset, so that it is the same everywhere."""
    written = raw if isinstance(raw, datetime) else datetime.fromisoformat(as_text(raw))
    if written.tzinfo is None:
        raise ValueError
    written.astimezone(UTC)  # a time at the edge of the calendar has no place in others' zones
    return written.isoformat()


def _moment(raw: object) -> str:
    try:
        return _read_moment(raw)
    except OverflowError as error:
        raise ValueError from error


MOMENT = Form(
    Wording(
        "带时区的时间，如 2026-12-31T00:00:00+08:00",
        "a time with its offset, such as 2026-12-31T00:00:00+08:00",
    ),
    _moment,
)
