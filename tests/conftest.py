"""What all tests share: how hypothesis runs, and sources that count."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A time limit for one example fails on a busy machine; derandomized runs fail only for what the commit changed.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
