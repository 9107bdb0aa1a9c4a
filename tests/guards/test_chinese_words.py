"""Chinese texts use one word for one thing.

The story: the same response was 响应 on one page and 答复 on the next, and the program had its
English name in half of its Chinese messages. Readers looked for a difference that was not there.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.languages import CHINESE
from tests.support.syntax import nodes_of

ROOT = Path(__file__).parents[2]
# Each with the word of docs/glossary.md. A name in code or in a path, such as `hupan`, is no word.
OTHER_WORDS = {
    "答复": "响应",
    "应答": "响应",
    "账户": "账号",
    "帐号": "账号",
    "服务端": "服务器",
    "Hupan": "湖畔",
}
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
TITLE = "# 湖畔 Hupan"


def other_words(text: str) -> list[str]:
    """Return the words of a text that have a better one, if the text is Chinese."""
    if not CHINESE.search(text):
        return []
    return [word for word in OTHER_WORDS if re.search(rf"{word}(?![A-Za-z])", text)]


def literals() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each string of the source that is no docstring."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        nodes = list(nodes_of(path.read_text("utf-8")))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if not isinstance(node, ast.Constant) or id(node) in docstrings:
                continue
            if isinstance(node.value, str):
                yield f"{path.name}:{node.lineno}", node.value


def test_messages_use_the_words_of_the_glossary() -> None:
    """No Chinese message of the program has a second word for a thing."""
    found = {place: words for place, text in literals() if (words := other_words(text))}
    assert not found


def test_pages_use_the_words_of_the_glossary() -> None:
    """No Chinese page has one outside of code; the title of the README names both."""
    found = {
        f"{page.name}: {line}": words
        for page in (*ROOT.glob("*.zh-CN.md"), *ROOT.glob("docs/*.zh-CN.md"))
        for line in CODE.sub("", page.read_text("utf-8")).splitlines()
        if line != TITLE and (words := other_words(line))
    }
    assert not found


def test_another_word_is_found() -> None:
    """The guard sees a second word in Chinese, and none in English or in a name."""
    assert other_words("服务器没有答复，另一个 Hupan 在运行") == ["答复", "Hupan"]
    assert other_words("Hupan does not answer") == []
    assert other_words("告警 HupanBackupFails") == []
