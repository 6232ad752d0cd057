"""Retries: which errors are retried, how often, and that they stop at the caller's time limit."""

import math
import time

import pytest
import tenacity

from exr_inspector.deadline import retrying, seconds_left, time_limit


class TransientError(Exception):
    pass


def is_transient(error):
    return isinstance(error, TransientError)


class Calls:
    """A function that raises the given errors, one per call, and then returns its argument."""

    def __init__(self, *errors):
        self.errors, self.count = list(errors), 0

    def __call__(self, value):
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return value


def test_a_call_without_error_is_made_once():
    calls = Calls()
    assert retrying(is_transient)(calls, 7) == 7
    assert calls.count == 1


def test_transient_errors_are_retried_up_to_the_number_of_attempts():
    errors = [TransientError(n) for n in range(3)]
    assert retrying(is_transient, attempts=4)(Calls(*errors), 7) == 7
    with pytest.raises(TransientError) as caught:
        retrying(is_transient, attempts=3)(calls := Calls(*errors), 7)
    assert caught.value is errors[2]
    assert calls.count == 3


@pytest.mark.parametrize("error", [ValueError("permanent"), KeyboardInterrupt()])
def test_other_errors_are_raised_at_once(error):
    calls = Calls(error)
    with pytest.raises(type(error)):
        retrying(is_transient)(calls, 7)
    assert calls.count == 1


def test_retries_stop_at_the_time_limit():
    calls = Calls(*[TransientError()] * 1000)
    with pytest.raises(TransientError):
        retrying(is_transient, attempts=math.inf, left=lambda: 5 - calls.count)(calls, 7)
    assert calls.count == 5


def test_a_wait_is_not_longer_than_the_remaining_time():
    began = time.monotonic()
    with time_limit(0.1), pytest.raises(TransientError):
        retrying(is_transient, wait=tenacity.wait_fixed(60))(Calls(*[TransientError()] * 3), 7)
    assert time.monotonic() - began < 30


def test_no_retry_starts_in_the_time_that_an_attempt_may_need():
    calls = Calls(TransientError())
    with time_limit(60), pytest.raises(TransientError):
        retrying(is_transient, left=lambda: seconds_left() - 100)(calls, 7)
    assert calls.count == 1


def test_the_nearest_of_nested_limits_counts():
    assert seconds_left() == math.inf
    with time_limit(60), time_limit(3600):
        assert seconds_left() <= 60
    assert seconds_left() == math.inf
