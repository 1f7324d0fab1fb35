"""What an ablation leaves out is there to be left out."""

from __future__ import annotations

import ablation
import pytest

from forecast import LSTMForecaster


@pytest.mark.parametrize("without", ablation.LEFT_OUT)
def test_every_ingredient_has_a_name_in_the_package(without):
    parameters, change = ablation.LEFT_OUT[without]
    LSTMForecaster(**parameters)
    with change():
        pass
