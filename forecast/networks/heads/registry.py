"""Every head by the name that users know it by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from forecast.networks.heads.base import Head
from forecast.networks.heads.negative_binomial import NegativeBinomialHead
from forecast.networks.heads.normal import NormalHead
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.heads.zero_inflated import ZeroInflatedHead

# R, the steps of a block -> head
HEADS: dict[str, Callable[[int], Head]] = {
    "quantile": lambda block: QuantileHead(),
    "normal": lambda block: NormalHead(),
    "student_t": lambda block: StudentTHead(),
    "negative_binomial": lambda block: NegativeBinomialHead(),
    "zero_inflated": lambda block: ZeroInflatedHead(NegativeBinomialHead()),
    **{criterion: partial(PointHead, criterion) for criterion in PointHead.criteria},
}
