"""The plan, the work and the price of the tiny study."""

import pytest
from tiny_study import RAW, plan_of

from iqadistill.pricing.price import price_study
from iqadistill.pricing.rates import card_rates
from iqadistill.pricing.study_work import StudyWork


@pytest.fixture(scope="module")
def plan():
    return plan_of(RAW)


@pytest.fixture(scope="module")
def works(plan):
    """The work of every job, by rule."""
    counted, found = StudyWork(plan), {}
    for job in plan.jobs.values():
        found.setdefault(job.rule, []).append((job, counted.of(job)))
    return found


@pytest.fixture(scope="module")
def price(plan):
    return price_study(plan, card_rates(), cores=2)
