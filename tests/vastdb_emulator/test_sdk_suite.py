"""The emulator is as good as the SDK's own tests say."""

import pytest

from .sdk_suite import run_all_versions


@pytest.mark.first
@pytest.mark.slow
def test_the_sdks_own_tests_pass():
    """All tests of the vastdb wheel that are within reach of an emulator; see sdk_exclusions.txt.

    One test for all server versions, so that no two processes make the suite's environment at a time; and one worker,
    as other tests run at the same time.
    """
    assert run_all_versions(workers=1)
