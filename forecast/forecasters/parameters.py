"""The parameters of every forecaster, and how scikit-learn reads them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self, TypedDict

from sklearn.base import BaseEstimator

from forecast.forecasters.docstrings import inherit_parameters


class Common(TypedDict, total=False):
    """The parameters of every forecaster, for the signature of a subclass that has its own.

    `def __init__(self, *, own=1, **common: Unpack[Common])` shows all of them to type checkers;
    scikit-learn and `help` see them too.
    """

    horizon: int | None
    season_length: int | None
    freq: Any
    past_only: Sequence[str] | None
    target_transform: Any
    calibration: bool | None
    id_col: str | Sequence[str]
    time_col: str
    target_col: str


class SharedSignature:
    """The parent of estimators whose constructors pass `**parameters` on to their parents'."""

    def __new__(cls, *_: Any, **given: Any) -> Self:
        """Refuse what is no parameter of the class, by its own name and not by a parent's."""
        known = inspect.signature(cls.__init__).parameters
        if unknown := [name for name in given if name not in known]:
            names = ", ".join(sorted(known.keys() - {"self"}))
            raise TypeError(f"{cls.__name__} has no parameter {unknown[0]!r}; it has {names}.")
        return super().__new__(cls)

    def __copy__(self) -> Self:
        """Copy what it holds without asking the constructor: a stream copies at every value."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __init_subclass__(cls, **options: Any) -> None:
        """Put the parent's parameters in place of `**common`: scikit-learn reads them there.

        What the class does not say of them, its docstring takes from the parent's.
        """
        super().__init_subclass__(**options)
        init = cls.__dict__.get("__init__")
        own = inspect.signature(init).parameters if init else {}
        if any(one.kind is one.VAR_KEYWORD for one in own.values()):
            named = own | inspect.signature(super(cls, cls).__init__).parameters
            kept = [one for one in named.values() if one.kind is not one.VAR_KEYWORD]
            init.__signature__ = inspect.Signature(kept)  # type: ignore[union-attr]
        if cls.__doc__ and (parent := super(cls, cls).__doc__):
            names = inspect.signature(cls.__init__).parameters
            cls.__doc__ = inherit_parameters(cls.__doc__, parent, names)


class Parameters(SharedSignature, BaseEstimator):
    """The constructor of every forecaster: it only stores.

    Parameters
    ----------
    horizon
        Steps to train and validate for, and what `predict()` gives when not told otherwise. None:
        one season, at least 8 steps, at most half of the longest series. Every horizon can be
        asked for later.
    season_length
        Steps per season. None: from the frequency, or from the data if the index is of integers.
    freq
        A pandas frequency, where the index does not tell it: an alias, or an offset such as
        `pd.offsets.CustomBusinessDay(holidays=[...])`.
    past_only
        Columns of X whose future is not known: they may have missing values, and `predict` does
        without them. All others must be known for the steps to forecast.
    target_transform
        An increasing scikit-learn transformer with an inverse, such as
        `PowerTransformer("box-cox")`; a clone is fitted to all values of `y`. The model learns the
        transformed values; what it returns is transformed back, so a median stays a median. None:
        the values as they are.
    calibration
        Fit once more without the last values, forecast them from up to max(12, horizon) origins,
        and stretch all bands and paths by what the errors tell: for short series, of which few
        values are left to learn a width from. None: where it is known to pay, as it is for
        `MarkovForecaster` on several short series; networks, without another fit, give each series
        of a panel bands as wide as its own held-out errors, where these differ. False: nothing of
        that.
    id_col, time_col, target_col
        Column names of long frames; `id_col` may be a list of those that name a series together.
    """

    def __init__(
        self,
        *,
        horizon: int | None = None,
        season_length: int | None = None,
        freq: Any = None,
        past_only: Sequence[str] | None = None,
        target_transform: Any = None,
        calibration: bool | None = None,
        id_col: str | Sequence[str] = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
    ) -> None:
        self.horizon = horizon
        self.season_length = season_length
        self.freq = freq
        self.past_only = past_only
        self.target_transform = target_transform
        self.calibration = calibration
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the first argument is the target itself, and may have gaps."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.one_d_labels = False
        tags.input_tags.one_d_array = True
        tags.input_tags.allow_nan = True
        return tags
