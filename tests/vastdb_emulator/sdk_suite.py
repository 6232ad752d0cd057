"""Runs the test suite that ships inside the `vastdb` wheel against the emulator.

    python -m tests.vastdb_emulator.sdk_suite [--workers 2] [--version 5.5.0.0] [pytest arguments …]

The suite needs packages in versions that the project's environment cannot have, so it gets one of
its own in `.venv-sdk-tests`, made when it is missing or out of date (about a minute). The SDK in it
has the version of the SDK here. With --version, everything is run against a server of that version;
without it, everything against the newest and then, against the older ones, what depends on the version.
What is left out in any case is in `sdk_exclusions.txt`, with reasons.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
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
# Where the SDK asks for the server's version, or reads what only a newer server sends.
VERSION_DEPENDENT = ("test_projections.py", "test_sanity.py", "test_table_in_tx.py", "test_tables.py")
# These two take half of the time of their module, in the client, and are the same for every version.
VERSION_INDEPENDENT = ("test_tables.py::test_filters", "test_tables.py::test_list_columns_with_pagination")


def prepare_environment() -> Path:
    """The Python of the suite's environment, which is created or renewed when its recipe has changed."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "requirements.txt"
    recipe = "\n".join((f"# Python {sys.version}", *REQUIREMENTS))
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return python
    print(f"Creating {ENVIRONMENT.relative_to(ROOT)}", flush=True)
    venv.create(ENVIRONMENT, clear=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *REQUIREMENTS], check=True)
    stamp.write_text(recipe, encoding="utf-8")
    return python


def run_all_versions(*, workers: int, arguments: Sequence[str] = ()) -> bool:
    """Run everything against the newest server version, and what depends on the version against the others."""
    *older, newest = VERSIONS
    results = [run_suite(newest, workers=workers, arguments=arguments)]
    results += [
        run_suite(version, workers=workers, arguments=arguments, modules=VERSION_DEPENDENT, without=VERSION_INDEPENDENT)
        for version in older
    ]
    return all(results)


def run_suite(
    version: str,
    *,
    workers: int,
    arguments: Sequence[str] = (),
    modules: Sequence[str] = ("",),
    without: Sequence[str] = (),
) -> bool:
    """Run modules of the suite (all) against one server version; prints pytest's output and a line of counts."""
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
            log_limit=0,
        ) as emulator,
    ):
        report = Path(folder) / "report.xml"
        command = [
            *(str(python), "-m", "pytest", "-q", "-W", "ignore", "--show-capture=no"),
            *(str(suite / module) for module in modules),
            *(f"--deselect=tests/{test}" for test in without),
            *("-c", os.devnull, "--rootdir", str(suite.parent), "-p", "no:cacheprovider"),
            *("-p", PLUGIN.stem, "--junit-xml", str(report)),
            *("--tabular-endpoint-url", emulator.url, "--tabular-bucket-name", BUCKET),
            *("--tabular-access-key", "suite", "--tabular-secret-key", "suite-secret"),
            *(("-n", str(workers)) if workers > 1 else ()),
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
    return kept | {"PYTHONPATH": str(PLUGIN.parent), "NO_PROXY": "*"}


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
    parser.add_argument("--version", choices=VERSIONS, help="only this server version, with all modules")
    options, arguments = parser.parse_known_args()
    if options.version:
        succeeded = run_suite(options.version, workers=options.workers, arguments=arguments)
    else:
        succeeded = run_all_versions(workers=options.workers, arguments=arguments)
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
