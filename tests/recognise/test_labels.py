"""Label files of every form, and the rules that fit them to a tensor."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.errors import ModelError
from vedette.recognise.labels import (
    COCO_80,
    COCO_GAPS,
    HOLE,
    Labels,
    fit_labels,
    from_mapping,
    parse_labels,
    read_labels,
)

IDS = [i for i in range(1, 91) if i not in COCO_GAPS]
WITH_HOLES = tuple(COCO_80[IDS.index(i)] if i in IDS else "n/a" for i in range(1, 91))
PAPER = tuple(COCO_80[IDS.index(i)] if i in IDS else f"hidden {i}" for i in range(1, 92))


@pytest.mark.parametrize(
    ("text", "form", "names"),
    [
        pytest.param("cat\ndog\n", "one a line", ("cat", "dog"), id="one a line"),
        pytest.param("cat\r\ndog\r\n\r\n", "one a line", ("cat", "dog"), id="line ends of Windows"),
        pytest.param("\ufeffcat\ndog", "one a line", ("cat", "dog"), id="byte order mark"),
        pytest.param("cat\n\ndog", "one a line", ("cat", HOLE, "dog"), id="empty line"),
        pytest.param("0 cat\n1 big dog", "numbered", ("cat", "big dog"), id="0 person"),
        pytest.param("0: cat\n1: dog", "numbered", ("cat", "dog"), id="0: person"),
        pytest.param("0  cat\n2  dog", "numbered", ("cat", HOLE, "dog"), id="a gap"),
        pytest.param("1 cat\n2 dog", "numbered", (HOLE, "cat", "dog"), id="from one"),
        pytest.param(
            "3 of hearts\n3 of spades", "one a line", ("3 of hearts", "3 of spades"), id="names with numbers"
        ),
        pytest.param("1 cat\n1 dog", "one a line", ("1 cat", "1 dog"), id="one number twice is no numbering"),
        pytest.param(
            'item {\n id: 1\n name: \'cat\'\n}\nitem { name: "big \\"dog\\"" id: 2 }',
            "pbtxt",
            (HOLE, "cat", 'big "dog"'),
            id="pbtxt",
        ),
        pytest.param(
            "item { name: '/m/01g317' id: 1 display_name: 'person' }",
            "pbtxt",
            (HOLE, "person"),
            id="display name",
        ),
    ],
)
def test_forms_are_read(text: str, form: str, names: tuple[str, ...]) -> None:
    labels = parse_labels(text.encode(), origin="x")
    assert (labels.form, labels.names) == (form, names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "hold no names", id="nothing"),
        pytest.param("item { id: 1 name: 'a' }\nitem { id: 1 name: 'b' }", "a class twice", id="twice"),
        pytest.param("item { name: 'a' }", "without id", id="no id"),
    ],
)
def test_bad_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_labels(text.encode(), origin="x")


def test_a_missing_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.txt"):
        read_labels(tmp_path / "gone.txt")


def test_names_by_number_and_in_order() -> None:
    assert from_mapping({"1": "dog", 0: "cat"}, origin="x").names == ("cat", "dog")
    assert from_mapping(["cat", "dog"], origin="x").names == ("cat", "dog")
    with pytest.raises(ModelError, match="not numbered"):
        from_mapping({"a": "cat"}, origin="x")


def labels(*names: str, block: int = 0) -> Labels:
    return Labels(names, "x", "one a line", block)


@pytest.mark.parametrize(
    ("given", "count", "background", "first", "last", "rule"),
    [
        pytest.param(labels("a", "b"), 2, False, "a", "b", "as many as", id="equal"),
        pytest.param(
            labels("background", "a"), 1, False, "a", "a", "does not count", id="background not in the tensor"
        ),
        pytest.param(labels(HOLE, "a", "b"), 2, False, "a", "b", "does not count", id="ids from one"),
        pytest.param(
            labels("a", "b"), 3, True, "background", "b", "leave out", id="background in the tensor alone"
        ),
        pytest.param(labels(*COCO_80), 80, False, "person", "toothbrush", "as many as", id="80 on 80"),
        pytest.param(labels(*COCO_80), 90, False, "person", "toothbrush", "ids 1 to 90", id="80 on 90"),
        pytest.param(
            labels(*COCO_80), 91, False, "background", "toothbrush", "a background, then", id="80 on 91"
        ),
        pytest.param(
            labels(*WITH_HOLES), 80, False, "person", "toothbrush", "never used", id="90 with holes on 80"
        ),
        pytest.param(labels(*WITH_HOLES), 91, True, "background", "toothbrush", "leave out", id="90 on 91"),
        pytest.param(
            labels(HOLE, *WITH_HOLES), 90, False, "person", "toothbrush", "does not count", id="91 on 90"
        ),
        pytest.param(
            labels(*PAPER), 80, False, "person", "toothbrush", "never used", id="the paper's 91 on 80"
        ),
        pytest.param(
            labels(*PAPER), 90, False, "person", "toothbrush", "ids 1 to 90", id="the paper's 91 on 90"
        ),
        pytest.param(
            labels("a", "b", HOLE, "a remark", block=2),
            2,
            False,
            "a",
            "b",
            "remark",
            id="a remark at the end",
        ),
    ],
)
def test_labels_are_fitted_by_count_and_rule(
    given: Labels, count: int, background: bool, first: str, last: str, rule: str
) -> None:
    names, why = fit_labels(given, count, background=background)
    assert (len(names), names[0], names[-1]) == (count, first, last)
    assert rule in why


def test_cocos_gaps_are_where_coco_has_them() -> None:
    names, _ = fit_labels(labels(*COCO_80), 90)
    assert [i + 1 for i, name in enumerate(names) if name == HOLE] == sorted(COCO_GAPS)
    assert (names[12], names[43]) == ("stop sign", "bottle")  # ids 13 and 44


@pytest.mark.parametrize("count", [1, 3, 79, 92])
def test_a_mismatch_names_both_numbers(count: int) -> None:
    with pytest.raises(ModelError, match=f"80 labels, the tensor has {count} classes"):
        fit_labels(labels(*COCO_80), count)


def test_two_do_not_become_three_without_a_background() -> None:
    with pytest.raises(ModelError, match="2 labels, the tensor has 3"):
        fit_labels(labels("a", "b"), 3)
