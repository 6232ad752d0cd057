"""Runs the test suite that ships inside the `vastdb` wheel against the emulator.

    python -m tests.vastdb_emulator.sdk_suite [--workers 2] [--version 5.5.0.0] [pytest arguments …]

The suite needs packages that the project does not, one in a version that it cannot have, so these are in a folder of
their own, `.venv-sdk-tests`, made when it is missing or out of date; it precedes the packages here, among which is
the SDK. With --version, everything is run against a server of that version;
without it, everything against the newest and then, against the older ones, what depends on the version.
What is left out in any case is in `sdk_exclusions.txt`, with reasons.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from .assumptions import Assumptions
from .emulator import Emulator
from .service import VERSIONS

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".venv-sdk-tests"
PLUGIN = Path(__file__).with_name("sdk_plugin.py")
BUCKET = "vastdb"

# What these packages need is among the project's packages.
REQUIREMENTS = (
    "duckdb==1.3.2",  # the suite calls .arrow() of a result and wants a table; later versions give a reader
    "pandas",
    "pytest-check",
    "pytest-retry",
    "pytz",  # of pandas 2
)
PLUGINS = ("check", "pytest-retry", "xdist")  # no others of this environment
# Where the SDK asks for the server's version, or reads what only a newer server sends.
VERSION_DEPENDENT = ("test_projections.py", "test_sanity.py", "test_table_in_tx.py", "test_tables.py")
# These take half of the time of their module, in the client, and are the same for every version.
VERSION_INDEPENDENT = tuple(
    f"test_tables.py::{name}"
    for name in ("test_filters", "test_list_columns_with_pagination", "test_select_splits_sanity", "test_types")
)


def prepare_packages() -> None:
    """Install the suite's packages if they are missing or the recipe has changed."""
    stamp = PACKAGES / "requirements.txt"
    recipe = "\n".join((f"# Python {sys.version}", *REQUIREMENTS))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return
    print(f"Creating {PACKAGES.relative_to(ROOT)}", flush=True)
    shutil.rmtree(PACKAGES, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--no-deps", "--no-compile", "--target", str(PACKAGES), *REQUIREMENTS], check=True)
    stamp.write_text(recipe, encoding="utf-8")


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
    prepare_packages()
    sdk = find_spec("vastdb")
    assert sdk is not None
    assert sdk.origin is not None
    suite = Path(sdk.origin).parent / "tests"
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
            *(sys.executable, "-m", "pytest", "-q", "-W", "ignore", "--show-capture=no"),
            *(str(suite / module) for module in modules),
            *(f"--deselect=tests/{test}" for test in without),
            *("-c", os.devnull, "--rootdir", str(suite.parent), "-p", "no:cacheprovider"),
            "--import-mode=append",  # or the packages here, with the suite among them, would precede the suite's own
            *(f"-p{plugin}" for plugin in (*PLUGINS, PLUGIN.stem)),
            *("--junit-xml", str(report)),
            *("--tabular-endpoint-url", emulator.url, "--tabular-bucket-name", BUCKET),
            *("--tabular-access-key", "suite", "--tabular-secret-key", "suite-secret"),
            *(("-n", str(workers)) if workers > 1 else ()),
            *arguments,
        ]
        status = subprocess.run(command, check=False, cwd=folder, env=_environment()).returncode
        counts = _counts(report)
    seconds = time.monotonic() - started
    summary = ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped"))
    sdk = installed_version("vastdb")
    print(f"SDK suite, vastdb {sdk}, server {version}: {summary} in {seconds:.0f} s", flush=True)
    return status == 0 and counts["passed"] > 0


def _environment() -> dict[str, str]:
    """Nothing of the caller's that would reach the suite: keys, proxies, options of pytest."""
    foreign = re.compile(r"AWS_|PYTEST_|PYTHON|VIRTUAL_ENV|COV_|.*_PROXY$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    paths = os.pathsep.join((str(PACKAGES), str(PLUGIN.parent)))
    return kept | {"PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NO_PROXY": "*"}


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
