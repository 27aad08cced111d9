"""Quantities carry their unit, and mean the same in every unit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.quantity import CAPACITY, DURATION, LENGTH, POSITION, RATE, SPREAD, WEIGHT, Quantity

KINDS = (POSITION, LENGTH, SPREAD, WEIGHT, CAPACITY, RATE, DURATION)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (RATE, "80 Hz", 80.0),
        (DURATION, "400 ms", 400.0),
        (WEIGHT, "5 kg", 5000.0),
        (LENGTH, "900 mm", 900.0),
        (LENGTH, "90 cm", 900.0),
        (LENGTH, "0.9 m", 900.0),
        (LENGTH, ".9m", 900.0),
        (WEIGHT, "352g", 352.0),
        (WEIGHT, "0.29 kg", 290.0),
        (POSITION, "0 mm", 0.0),
    ],
)
def test_reads_each_unit_exactly(kind: Quantity, text: str, value: float) -> None:
    assert kind.parse(text) == value


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_round_trips_through_every_unit(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    unit, factor = data.draw(st.sampled_from(kind.units))
    lowest, highest = max(1, int(kind.lowest)), int(min(kind.highest, 10_000))
    value = data.draw(st.integers(lowest, highest))
    text = f"{value / factor:.9f} {unit}"
    assert kind.parse(text) == pytest.approx(value, rel=1e-6, abs=1e-5 * factor)
    assert kind.parse(kind.text(value)) == pytest.approx(value, rel=1e-5)
    assert re.search(kind.pattern, text), "the editor's schema and the parser agree"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["80", "80.5", "1e3", "-80", "+80"])
def test_bare_number_names_the_unit_with_an_example(kind: Quantity, text: str) -> None:
    units = "|".join(unit for unit, _ in kind.units)
    with pytest.raises(ValueError, match=rf"without a unit.*such as '[0-9.]+ ({units})'"):
        kind.parse(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "mm",
        "nan mm",
        "inf kg",
        "-5 mm",
        "5 furlongs",
        "5 mm 3",
        "five mm",
        "5 mm\n3",
        "٣ mm",
        "1:30",
        "9" * 400 + " mm",
    ],
)
def test_refuses_what_is_no_quantity(kind: Quantity, text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        kind.parse(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, True, None, [], {}])
def test_refuses_senseless_python_values(value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        LENGTH.parse(value)


def test_decimal_comma_is_explained() -> None:
    with pytest.raises(ValueError, match="a point, not a comma"):
        LENGTH.parse("0,9 m")


@pytest.mark.parametrize(
    ("kind", "text"), [(LENGTH, "0 mm"), (LENGTH, "900 m"), (WEIGHT, "0 g"), (RATE, "0.5 Hz"), (RATE, "2 kHz")]
)
def test_refuses_what_is_out_of_range(kind: Quantity, text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        kind.parse(text)


@given(st.text(max_size=50))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_number_in_range_or_a_value_error(text: str) -> None:
    for kind in KINDS:
        try:
            value = kind.parse(text)
        except ValueError:
            continue
        assert kind.lowest <= value <= kind.highest
