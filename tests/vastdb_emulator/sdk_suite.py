"""Runs the test suite that ships inside the `vastdb` wheel against the emulator.

    python -m tests.vastdb_emulator.sdk_suite [--workers 2] [--version 5.5.0.0] [pytest arguments …]

The suite needs packages in versions that the project's environment cannot have, so it gets one of
its own in `.venv-sdk-tests`, made when it is missing or out of date. The SDK in it has the version
of the SDK here. Without --version both server versions are run.
"""

import argparse
import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from importlib.metadata import version as installed_version
from pathlib import Path

from .assumptions import Assumptions
from .emulator import Emulator
from .service import VERSIONS

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-sdk-tests"
PLUGIN = Path(__file__).with_name("sdk_plugin.py")
BUCKET = "vastdb"

REQUIREMENTS = (
    f"vastdb=={installed_version('vastdb')}",
    "boto3",
    "duckdb==1.3.2",  # the suite calls .arrow() of a result and wants a table; later versions give a reader
    "pandas",
    "pytest",
    "pytest-check",
    "pytest-retry",
    "pytest-xdist",
)
# These need no server, so they run once only; the first alone has 403 tests.
WITHOUT_SERVER = ("test_by_column_inserter.py", "test_ibis_utils.py", "test_util.py")


def prepare_environment() -> Path:
    """The Python of the suite's environment, which is created or renewed when its recipe has changed."""
    with (ROOT / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers may come here at the same time
        return _prepared_environment()


def _prepared_environment() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "requirements.txt"
    recipe = "\n".join((f"# Python {sys.version}", *REQUIREMENTS))
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return python
    print(f"Creating {ENVIRONMENT.relative_to(ROOT)}", flush=True)
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS],
        check=True,
    )
    stamp.write_text(recipe, encoding="utf-8")
    return python


def run_suite(version: str, *, workers: int, with_all: bool, arguments: list[str]) -> bool:
    """Run the suite against one server version; prints pytest's output and a line of counts."""
    python = prepare_environment()
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([str(python), "-c", find], check=True, capture_output=True, text=True).stdout
    suite = Path(packages.strip()) / "vastdb" / "tests"
    buckets = [BUCKET, *(f"{BUCKET}-gw{number}" for number in range(workers))]
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        # The suite makes 64,000 columns with the SDK, which then says nothing for some time.
        Emulator(
            access_key="suite",
            secret_key="suite-secret",
            buckets=buckets,
            version=version,
            assumptions=Assumptions(idle_timeout_s=600),
            log_requests=False,
        ) as emulator,
    ):
        report = Path(folder) / "report.xml"
        command = [
            *(str(python), "-m", "pytest", str(suite), "-q", "-W", "ignore", "--show-capture=no"),
            *("-c", os.devnull, "--rootdir", str(suite.parent), "-p", "no:cacheprovider"),
            *("-p", PLUGIN.stem, "--junit-xml", str(report)),
            *("--tabular-endpoint-url", emulator.url, "--tabular-bucket-name", BUCKET),
            *("--tabular-access-key", "suite", "--tabular-secret-key", "suite-secret"),
            *(("-n", str(workers)) if workers > 1 else ()),
            *(f"--ignore={suite / name}" for name in WITHOUT_SERVER if not with_all),
            *arguments,
        ]
        status = subprocess.run(command, check=False, cwd=folder, env=_environment()).returncode
        counts = _counts(report)
    seconds = time.monotonic() - started
    summary = ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped"))
    print(f"SDK suite, {REQUIREMENTS[0]}, server {version}: {summary} in {seconds:.0f} s", flush=True)
    return status == 0 and counts["passed"] > 0


def _environment() -> dict[str, str]:
    """Nothing of the caller's that would reach the suite: keys, proxies, options of pytest."""
    foreign = re.compile(r"AWS_|PYTEST_|PYTHON|VIRTUAL_ENV|COV_|.*_PROXY$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return kept | {"PYTHONPATH": str(PLUGIN.parent), "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*"}


def _counts(report: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    if report.exists():
        for case in ET.parse(report).iter("testcase"):
            outcomes = {child.tag for child in case}
            bad = bool(outcomes & {"failure", "error"})
            counts["failed" if bad else "skipped" if "skipped" in outcomes else "passed"] += 1
    return counts


def main() -> int:
    """Run; the exit status is 0 when every test passed that is not excluded."""
    parser = argparse.ArgumentParser(prog="python -m tests.vastdb_emulator.sdk_suite", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--version", choices=VERSIONS, help="only this server version")
    options, arguments = parser.parse_known_args()
    versions = [options.version] if options.version else list(reversed(VERSIONS))
    results = [
        run_suite(version, workers=options.workers, with_all=index == 0, arguments=arguments)
        for index, version in enumerate(versions)
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
