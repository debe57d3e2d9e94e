"""Fits give the recorded models: bit for bit on a known platform, else nearly."""

import json

import pytest
from golden.models import MODELS, PATH, compute_record, describe_platform

from skmlp.core.library import engine

GOLDEN = json.loads(PATH.read_text(encoding="utf-8"))


def test_golden_records_name_every_model():
    for platform, records in GOLDEN.items():
        assert records.keys() == MODELS.keys(), platform


@pytest.mark.parametrize("name", MODELS)
def test_fit_gives_the_recorded_model(name):
    record, here = compute_record(name), describe_platform()
    # other digits on other processors, other draws of dropout on the other backend
    on_numpy = engine() == "numpy"
    for platform, records in GOLDEN.items():
        if platform.startswith("numpy") == on_numpy:
            assert record["first"] == pytest.approx(records[name]["first"], abs=0.01)
    if here in GOLDEN:
        golden = GOLDEN[here][name]
        assert record["first"] == pytest.approx(golden["first"], abs=1e-5)
        assert {**record, "first": None} == {**golden, "first": None}
