import xml.etree.ElementTree as ET
from xml.etree.ElementTree import Element

from bench.harness.plot import BAR_END, LABELS, plot
from tests.bench.reports import a_report

SPAN = BAR_END - LABELS


def drawn() -> Element:
    """The plot of a run, read as XML."""
    return ET.fromstring(plot(a_report()))  # noqa: S314 - our own output


def widths(kind: str) -> list[float]:
    """How long the rectangles of a kind are."""
    return [float(one.attrib["width"]) for one in drawn().iter() if one.get("class") == kind]


def test_bars_are_as_long_as_what_was_seen() -> None:
    """Half of the limit is half of the track; what was missed has another colour."""
    assert widths("met") == [SPAN * 0.5]
    assert widths("missed") == [SPAN]


def test_targets_and_aims_are_marked() -> None:
    """Each bar has its target; a bar that should be short has it at two thirds of the track."""
    marks = [float(one.attrib["x1"]) for one in drawn().iter() if one.get("class") == "target"]
    assert marks == [LABELS + round(SPAN * 0.45, 1), round(LABELS + SPAN / 1.5, 1)]
    assert sum(one.get("class") == "aim" for one in drawn().iter()) == 2


def test_words_are_words() -> None:
    """Names stand in the plot as they are, also with signs of XML in them."""
    said = [one.text for one in drawn().iter() if one.tag.endswith("text")]
    assert "start <of> it" in said
    assert "own info: 95% at the largest" in said


def test_everything_is_within_the_picture() -> None:
    """No word and no bar begins outside of it."""
    root = drawn()
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for one in root.iter():
        assert 0 <= float(one.get("x", 0)) <= width
        assert 0 <= float(one.get("y", 0)) <= height
