"""The texts of pages in Chinese and English, and the language of a request.

A text is looked up by name in one catalogue. Values are put into a whole sentence, never between
parts of one, and are escaped unless they are markup already.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast

from markupsafe import Markup, escape
from starlette.requests import Request

from hupan.localized import LocalizedText

Language: TypeAlias = Literal["zh", "en"]
HTML_LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
LANGUAGE_COOKIE = "hupan_lang"
LANGUAGE_PARAMETER = "lang"
_MAX_PREFERENCES = 16


def choose_language(request: Request) -> Language:
    """Return the language of a request: by link, by cookie, by `Accept-Language`, else Chinese."""
    for chosen in (
        request.query_params.get(LANGUAGE_PARAMETER),
        request.cookies.get(LANGUAGE_COOKIE),
    ):
        if chosen in HTML_LANGUAGES:
            return cast("Language", chosen)
    return _preferred_language(request.headers.get("accept-language", ""))


def _preferred_language(accepted: str) -> Language:
    weights: dict[Language, float] = {"zh": 0.0, "en": 0.0}
    for preference in accepted.split(",")[:_MAX_PREFERENCES]:
        tag, _, parameter = preference.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in HTML_LANGUAGES:
            name = cast("Language", language)
            weights[name] = max(weights[name], _weight(parameter))
    return "en" if weights["en"] > weights["zh"] else "zh"


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 < weight <= 1 else 0.0


class Texts:
    """The catalogue in one language; templates call it as `t("name")`."""

    def __init__(self, catalogue: Mapping[str, LocalizedText], language: Language) -> None:
        self._catalogue = catalogue
        self.language: Language = language

    @property
    def is_english(self) -> bool:
        return self.language == "en"

    def __call__(self, name: str, /, **values: object) -> Markup:
        """Return a text with its values, all of them escaped.

        Raises:
            KeyError: there is no such text, or a value is missing.
        """
        text = escape(self._catalogue[name].text(self.is_english))
        return text.format(**values) if values else text

    def choose(self, text: LocalizedText) -> str:
        """Return the text that fits the language, such as that of an error."""
        return text.text(self.is_english)
