"""What operators read when a tool of a trust store fails: one language in each line."""

import re

import pytest

from hupan.connect.stores import ToolFailed, run_tool

CHINESE = re.compile("[\u4e00-\u9fff]")


def test_words_of_a_tool() -> None:
    """Chinese quotes them on their own line; English has them in the sentence."""
    with pytest.raises(ToolFailed) as failed:
        run_tool(("sh", "-c", "echo no such alias >&2; exit 3"))
    introduction, words = failed.value.localized.zh.split("\n")
    assert CHINESE.search(introduction)
    assert words == "no such alias"
    assert failed.value.localized.en == "sh: no such alias"


def test_a_silent_tool() -> None:
    """The exit status is all there is to say."""
    with pytest.raises(ToolFailed) as failed:
        run_tool(("sh", "-c", "exit 3"))
    assert failed.value.localized.zh == "sh 失败，退出码为 3"


def test_a_missing_tool() -> None:
    """The reason of the system is said in Chinese, too."""
    with pytest.raises(ToolFailed) as failed:
        run_tool(("/nonexistent/keytool",))
    assert failed.value.localized.zh == "无法运行 keytool：文件或目录不存在"
