"""Emulators, and sessions of the SDK that are connected to them."""

import pytest
import vastdb
from vastdb.config import BackoffConfig

from . import Emulator
from .client import KEYS, create_table


@pytest.fixture
def start():
    """Starts emulators; they are stopped in the end."""
    started = []

    def start(**options):
        emulator = Emulator(**KEYS, buckets=["b"], **options)
        emulator.start()
        started.append(emulator)
        return emulator

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def connect():
    """Opens SDK sessions that do not retry; their sockets are closed in the end."""
    sessions = []

    def connect(emulator, *, secret=KEYS["secret_key"], tries=1, **options):
        backoff = BackoffConfig(max_tries=tries, max_value=0.01)
        session = vastdb.connect(
            access=KEYS["access_key"], secret=secret, endpoint=emulator.url, backoff_config=backoff, **options
        )
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        for pooled in session.api._sessions.values():
            pooled.close()


@pytest.fixture
def emulator(start):
    return start()


@pytest.fixture
def session(emulator, connect):
    session = connect(emulator)
    create_table(session)
    emulator.reset_requests()
    return session
