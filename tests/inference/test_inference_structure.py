"""What is read out of a model file without a runtime; bytes that aren't one give one kind of error."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_models import LOGISTIC, PEOPLE, SOFTMAX, mean_colour

from edge.vision.inference.flatbuffer import FlatbufferError
from edge.vision.inference.labels import packed_labels
from edge.vision.inference.shipped import PRODUCTS, PRODUCTS_LABELS
from edge.vision.inference.structure import read_structure
from hil.product_crops import LABELS


def test_what_the_trained_models_are() -> None:
    people, products = read_structure(PEOPLE.read_bytes()), read_structure(PRODUCTS.read_bytes())
    assert people.detection is not None
    assert people.class_columns == 2
    assert products.detection is None
    assert products.makes == "logits"
    assert PRODUCTS_LABELS.read_text(encoding="utf-8").split() == list(LABELS)
    assert PRODUCTS.stat().st_size < 150_000


def test_what_a_last_operator_makes() -> None:
    made = [read_structure(mean_colour(last)).makes for last in (0, SOFTMAX, LOGISTIC)]
    assert made == ["logits", "probabilities", "sigmoids"]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 45_000), st.integers(0, 255))
def test_no_bytes_give_another_error(raw: bytes, at: int, value: int) -> None:
    good = bytearray(PEOPLE.read_bytes())
    good[at % len(good)] = value
    for content in (raw, b"\x20\0\0\0TFL3" + raw, bytes(good), bytes(good[:at])):
        with suppress(FlatbufferError):
            read_structure(content)


def test_labels_packed_into_the_model_are_found(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("labelmap.txt", "person\ndog\n\n")
    path = tmp_path / "model.tflite"
    path.write_bytes(mean_colour() + packed.getvalue())
    assert packed_labels(path) == ("person", "dog")
    path.write_bytes(mean_colour())
    assert packed_labels(path) is None


def test_a_damaged_model_of_the_trained_ones_is_said_to_be_damaged() -> None:
    with pytest.raises(FlatbufferError, match="beyond"):
        read_structure(PEOPLE.read_bytes()[:5000])
