import threading

import pytest
import torch

from iqadistill.parallel import map_ahead, one_thread_per_operation


def test_map_ahead_keeps_order_and_limits_lookahead():
    started = []

    def double(number):
        started.append(number)
        return 2 * number

    results = map_ahead(double, range(20), 3)
    for number in range(20):
        assert next(results) == 2 * number
        assert max(started) <= number + 3
    assert next(results, None) is None


def test_map_ahead_raises_errors_in_order():
    def divide(number):
        return 6 // (number - 2)

    results = map_ahead(divide, range(5), 2)
    assert [next(results), next(results)] == [-3, -6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_ahead_uses_worker_threads():
    assert threading.main_thread() not in map_ahead(lambda _: threading.current_thread(), range(3), 2)


def test_thread_count_is_restored_after_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.raises(KeyError), one_thread_per_operation() as threads:
        assert threads == 2
        assert list(map_ahead(lambda _: torch.get_num_threads(), range(2), 1)) == [1, 1]
        raise KeyError
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
