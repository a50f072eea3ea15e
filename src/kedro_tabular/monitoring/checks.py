"""What a look at a window has found."""

from statistics import NormalDist
from typing import Any, NamedTuple

from .drift import Limit
from .settings import Check, Rule


class Finding(NamedTuple):
    """One check of one thing. It is told if the value is above the limit."""

    check: Check
    subject: str
    value: float
    limit: float
    says: str
    rank: float  # among findings of one check the highest is told first

    @classmethod
    def of(cls, check: Check, subject: str, found: Limit, says: str, rank: float | None = None) -> "Finding":
        """A finding of a measured value and its limit, by which it ranks if by nothing else."""
        return cls(check, subject, *found, says, found.severity if rank is None else rank)

    def under(self, rule: Rule) -> "Finding":
        """The same under a rule, which may have a limit of its own."""
        return self if rule.above is None else self._replace(limit=rule.above)

    @property
    def raised(self) -> bool:
        """Whether it is told."""
        return self.value > self.limit

    def as_dict(self) -> dict[str, Any]:
        """As the verdict has it."""
        return self._asdict() | {"severity": self.value / self.limit if self.limit > 0 else None}


def normal_quantile(false_alarms: float) -> float:
    """How many standard errors a value passes by chance in this share of cases."""
    return NormalDist().inv_cdf(1 - false_alarms)
