"""A calibration keeps to its time, whatever the load: with a clock that the test turns, not with the machine's."""

import copy

import pytest
from tiny_study import RAW, plan_of

from iqadistill.pricing import calibration
from iqadistill.pricing.calibration import Budget, calibrate
from iqadistill.pricing.rates import Rates


class Clock:
    """Time that passes where it is told to, and a little at each look."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 0.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now

    def work(self, *seconds):
        """Work of 2 units a repetition, which takes these seconds, the last for ever, and the list of those done."""
        done = []

        def repeat():
            done.append(seconds[min(len(done), len(seconds) - 1)])
            self.now += done[-1]
            return 2.0

        return (lambda: repeat), done


def test_measurements_share_the_time_equally():
    clock = Clock()
    budget = Budget(20.0, 4, clock)
    counts = []
    for _ in range(4):
        prepare, done = clock.work(1.0)
        assert budget.rate(prepare) == pytest.approx(2.0)
        counts.append(len(done))
    assert counts == [5, 5, 5, 5] and budget.used == 20


def test_first_repetition_warms_up():
    clock = Clock()
    prepare, done = clock.work(4.0, 1.0)
    assert Budget(10.0, 1, clock).rate(prepare) == pytest.approx(2.0) and len(done) == 7
    prepare, done = clock.work(40.0, 1.0)
    assert Budget(10.0, 1, clock).rate(prepare) == 0.05 and len(done) == 1


def test_time_left_by_one_measurement_is_taken_from_the_others():
    """A slow repetition makes the shares of those that follow smaller; none begins once the time is over."""
    clock = Clock()
    budget = Budget(20.0, 4, clock)
    slow, _ = clock.work(14.0)
    assert budget.rate(slow) == 2 / 14
    fast, done = clock.work(0.5)
    assert budget.rate(fast) == 4.0 and len(done) == 4
    assert budget.rate(slow) == 2 / 14 and budget.used == 30  # it began in time
    never, done = clock.work(1.0)
    assert budget.rate(never) is None and not done


def test_preparation_is_part_of_the_time():
    clock = Clock()
    prepare, done = clock.work(1.0)

    def slowly():
        clock.now += 9.0
        return prepare()

    budget = Budget(10.0, 1, clock)
    assert budget.rate(slowly) == 2.0 and len(done) == 1 and budget.used == 10


@pytest.fixture
def measured(monkeypatch):
    """What was measured, with works that do nothing, each a minute on the given clock."""
    names, real = [], Budget.rate

    def rate(budget, prepare):
        budget._clock.now += 60.0 * bool(names)
        taken = real(budget, lambda: lambda: 1e6)
        names.append(taken)
        return taken

    monkeypatch.setattr(Budget, "rate", rate)
    return names


def test_calibration_on_a_loaded_machine_ends_in_time(measured):
    """What no time is left for is assumed, in proportion to how fast this core decodes."""
    rates = calibrate(plan_of(copy.deepcopy(RAW)), "cpu", seconds=20.0, clock=Clock(tick=1e-3))
    assert len(measured) == 11 and measured[0] and not any(measured[1:])
    speed, assumed = rates.decoding / Rates().decoding, Rates()
    assert speed != 1
    assert rates.training == pytest.approx(assumed.training * speed)
    assert rates.launch == pytest.approx(assumed.launch / speed)


@pytest.mark.slow
def test_calibration_measures_every_rate_in_time(monkeypatch):
    for name in ("_LAUNCH", "_IMPORTS", "_TORCH_IMPORTS", "_TIMM_IMPORTS"):
        monkeypatch.setattr(calibration, name, "import json")
    clock = Clock(tick=0.2)  # ten looks in two seconds: every measurement takes a repetition or two
    rates = calibrate(plan_of(copy.deepcopy(RAW)), "cpu", seconds=20.0, clock=clock)
    assert clock.now < 20 + 10 * 0.2 * 6
    assert rates.source.startswith("measured here in") and rates.source.endswith("on one core")
