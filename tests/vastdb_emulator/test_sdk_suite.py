"""The emulator is as good as the SDK's own tests say."""

import pytest

from .sdk_suite import run_suite
from .service import VERSIONS


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_sdks_own_tests_pass(version):
    """All tests of the vastdb wheel that are within reach of an emulator; see sdk_exclusions.txt."""
    assert run_suite(version, workers=2, with_all=version == VERSIONS[-1], arguments=[])
