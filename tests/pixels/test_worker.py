"""The worker process: reports of many files, and crashes, time and memory limits that are one file's error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from exr_inspector.deadline import time_limit
from exr_inspector.errors import ExrFormatError, PixelError, SourceNotAllowedError, SourceNotFoundError
from exr_inspector.pixels import worker as worker_module
from exr_inspector.pixels.model import PixelLimits, StatsOptions
from exr_inspector.pixels.worker import PixelWorker
from tests.support.pixels import located, peak_bytes, statistics_of, write, write_file
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY

DEFAULT = StatsOptions()
SHORT = StatsOptions(limits=PixelLimits(seconds=0.3))


@dataclass(frozen=True)
class FixedMemory(PixelLimits):
    """A limit of memory that does not follow from that of chunks."""

    memory: int = 0

    def memory_bytes(self, threads: int) -> int:
        return self.memory


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    return str(write(tmp_path_factory.mktemp("files") / "x.exr"))


@pytest.fixture(scope="module")
def large_chunk(tmp_path_factory) -> str:
    """One tile of 48 MB."""
    path = tmp_path_factory.mktemp("files") / "large.exr"
    header = {"compression": OpenEXR.RLE_COMPRESSION, "type": OpenEXR.tiledimage}
    header["tiles"] = tiles = OpenEXR.TileDescription()
    tiles.xSize, tiles.ySize = 4000, 2000
    write_file(path, header, dict.fromkeys("BGR", np.zeros((2000, 4000), "float16")))
    return str(path)


def test_reports_of_many_files_come_from_one_process(worker, path, tmp_path):
    expected = statistics_of(Path(path).read_bytes()).parts
    assert worker.statistics(path, DEFAULT).parts == expected
    pid = worker.pid
    assert worker.statistics(Path(path).read_bytes(), DEFAULT).parts == expected
    report = worker.statistics(path, StatsOptions(channels=("R",), threads=2))
    assert [channel.channel_name for channel in report.parts[0].channels] == ["R"]
    assert (report.size_bytes, report.mtime is None) == (os.path.getsize(path), False)
    assert worker.pid == pid


@pytest.mark.slow
def test_errors_of_sources_and_headers_are_raised_here(worker, path, tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"none\.exr: no such file"):
        worker.statistics(str(tmp_path / "none.exr"), DEFAULT)
    with pytest.raises(ExrFormatError, match="not an EXR file"):
        worker.statistics(b"\x89PNG\r\n\x1a\n", DEFAULT)
    with PixelWorker(roots=[str(tmp_path)]) as limited, pytest.raises(SourceNotAllowedError):
        limited.statistics(path, DEFAULT)


def test_nothing_is_printed(worker, path, capfd):
    """OpenEXR prints a warning for a damaged chunk."""
    data = bytearray(Path(path).read_bytes())
    (chunks,) = located(bytes(data))
    data[chunks.leaders.offsets[5] + 8 : chunks.leaders.offsets[5] + 90] = b"\xff" * 82
    assert worker.statistics(bytes(data), DEFAULT).errors
    assert capfd.readouterr() == ("", "")


def while_stopped(worker, action) -> threading.Thread:
    """Stop the process, so that a request waits, and call `action` with its id after a request was sent."""
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    thread = threading.Thread(target=lambda: (time.sleep(0.2), action(pid)))
    thread.start()
    return thread


@pytest.mark.slow
def test_a_crash_is_the_error_of_one_file(worker, path):
    worker.statistics(path, DEFAULT)

    def crash(pid):
        os.kill(pid, signal.SIGSEGV)
        os.kill(pid, signal.SIGCONT)

    thread = while_stopped(worker, crash)
    with pytest.raises(PixelError, match=r"x\.exr: .* ended by SIGSEGV") as caught:
        worker.statistics(path, DEFAULT)
    thread.join()
    assert (caught.value.code, caught.value.permanent) == ("decoder_crashed", True)
    assert worker.statistics(path, DEFAULT).parts


@pytest.mark.parametrize(
    ("program", "code", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "decoder_ended", "ended by SIGKILL; the system may be out of memory"),
        ("os.kill(os.getpid(), 15)", "decoder_ended", "ended by signal 15"),
        ("os._exit(3)", "decoder_ended", "ended by exit code 3"),
        ("os.close(0); os.closerange(3, 99); time.sleep(60)", "decoder_ended", "does not answer"),
        ("os.abort()", "decoder_crashed", "ended by SIGABRT"),
    ],
)
def test_only_faults_of_libraries_are_permanent(path, monkeypatch, program, code, reason):
    monkeypatch.setattr(worker_module, "_PROGRAM", f"import os, time; {program}")
    monkeypatch.setattr(worker_module, "_END_SECONDS", 1.0)
    with PixelWorker() as worker, pytest.raises(PixelError, match=reason) as caught:
        worker.statistics(path, DEFAULT)
    assert (caught.value.code, caught.value.permanent) == (code, code == "decoder_crashed")


def test_a_decoder_that_cannot_start(path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/none/python")
    with PixelWorker() as worker, pytest.raises(PixelError, match=r"cannot start: .*No such file") as caught:
        worker.statistics(path, DEFAULT)
    assert (caught.value.code, caught.value.permanent) == ("decoder_unusable", False)


@pytest.mark.slow
def test_libraries_that_cannot_be_loaded(path, tmp_path, monkeypatch):
    """Their message has pages, of which one line is kept."""
    (tmp_path / "OpenEXR.py").write_text("raise ImportError('\\n\\nlibImath.so is missing\\nsee the manual')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with PixelWorker() as worker, pytest.raises(PixelError) as caught:
        worker.statistics(path, DEFAULT)
    assert (caught.value.code, caught.value.reason) == ("decoder_unusable", "ImportError: libImath.so is missing")


@pytest.mark.slow
def test_the_time_limit_includes_sending(worker, path):
    """A stopped process does not receive more than a pipe holds."""
    worker.statistics(path, DEFAULT)
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(PixelError, match=r"more than 0\.3 s: raise EXR_INSPECTOR_PIXEL_SECONDS") as caught:
        worker.statistics(bytes(1 << 20), SHORT)
    assert caught.value.code == "decode_timeout"


@pytest.mark.parametrize("request_bytes", [b"\x80\x04.", b"no pickle"])
def test_a_process_that_cannot_receive_ends(request_bytes):
    """Else the parent waits for ever."""
    read_end, write_end = os.pipe()
    command = [sys.executable, "-c", worker_module._PROGRAM, "1", *sys.path]
    with subprocess.Popen(command, stdin=read_end, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        os.close(read_end)
        with Connection(write_end, readable=False) as requests:
            requests.send_bytes(request_bytes)
            try:
                assert process.wait(20) == 1
            finally:
                process.kill()


@pytest.mark.parametrize("end", [PixelWorker.kill, PixelWorker.close])
def test_nothing_is_decoded_after_the_end(path, end):
    with PixelWorker() as worker:
        end(worker)
        with pytest.raises(ValueError, match=r"x\.exr: the decoder was closed"):
            worker.statistics(path, DEFAULT)
        assert worker.pid is None


@pytest.mark.slow
def test_ending_the_process_is_not_a_crash(path):
    with PixelWorker() as worker:
        worker.statistics(path, DEFAULT)
        thread = while_stopped(worker, lambda pid: worker.kill())
        with pytest.raises(ValueError, match="the decoder was closed"):
            worker.statistics(path, DEFAULT)
        thread.join()


def test_relative_paths_are_those_of_the_caller(worker, path, monkeypatch):
    worker.statistics(path, DEFAULT)
    monkeypatch.chdir(Path(path).parent)
    assert worker.statistics("x.exr", DEFAULT).parts


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
def test_bytes_do_not_count_against_the_memory_for_decoding(path):
    data = Path(path).read_bytes() + bytes(160 << 20)
    limits = PixelLimits(chunk_bytes=1 << 20, band_bytes=1 << 20)
    with PixelWorker() as worker:
        for _ in range(2):
            assert worker.statistics(data, StatsOptions(limits=limits)).parts


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_limits_of_the_system_are_kept_and_no_cores_are_written(path):
    code = (
        "import resource, sys\n"
        "from exr_inspector.pixels.model import StatsOptions\n"
        "from exr_inspector.pixels.worker import PixelWorker\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, resource.RLIM_INFINITY))\n"
        "with PixelWorker() as worker:\n"
        "    worker.statistics(sys.argv[1], StatsOptions(threads=9))\n"
        "    for name in 'AS', 'CORE':\n"
        "        print(resource.prlimit(worker.pid, getattr(resource, f'RLIMIT_{name}'))[0])\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code, path], text=True).split() == [str(2 << 30), "0"]


@pytest.mark.slow
def test_a_process_that_ended_between_files_is_replaced(worker, path):
    worker.statistics(path, DEFAULT)
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    while len(list(Path(f"/proc/{pid}/task").iterdir())) > 1 or " Z " not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.01)
    assert worker.statistics(path, DEFAULT).parts
    assert worker.pid != pid


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["option", "caller"])
def test_a_file_that_takes_too_long(worker, path, limit):
    worker.statistics(path, DEFAULT)
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    with (
        time_limit(1000 if limit == "option" else 0.3),
        pytest.raises(PixelError, match=r"more than 0\.\d+ s") as caught,
    ):
        worker.statistics(path, SHORT if limit == "option" else DEFAULT)
    assert caught.value.code == "decode_timeout"
    assert not Path(f"/proc/{pid}").exists()
    assert worker.statistics(path, DEFAULT).parts


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
def test_too_little_memory(large_chunk, path):
    """OpenEXR does not tell a lack of memory from damage."""
    limits = FixedMemory(chunk_bytes=128 << 20, memory=270 << 20)
    with PixelWorker() as worker:
        with pytest.raises(PixelError, match="more than 270 MB: raise EXR_INSPECTOR_MAX_CHUNK") as caught:
            worker.statistics(large_chunk, StatsOptions(limits=limits, digest=False))
        assert (caught.value.code, caught.value.permanent) == ("out_of_memory", False)
        assert worker.statistics(path, DEFAULT).parts


@pytest.mark.slow
def test_the_process_ends_with_its_parent(tmp_path, path):
    """Also if the parent is killed; a script needs no guard of its main module."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        "from exr_inspector.pixels.worker import PixelWorker\n"
        "from exr_inspector.pixels.model import StatsOptions\n"
        "worker = PixelWorker()\n"
        "worker.statistics(sys.argv[1], StatsOptions())\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_objects_are_read_by_the_process_and_keys_stay_secret(store, path, monkeypatch):
    """Neither the command line nor the environment of the process has the keys, not even those of its parent."""
    monkeypatch.setenv("S3_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("DB_PASSWORD", SECRET_KEY)
    store.client.put_object(Bucket=BUCKET, Key="a/x.exr", Body=Path(path).read_bytes())
    with PixelWorker(s3=store.access) as worker:
        report = worker.statistics(f"s3://{BUCKET}/a/x.exr", StatsOptions(limits=PixelLimits(band_bytes=100 << 10)))
        assert report.parts == statistics_of(Path(path).read_bytes(), limits=PixelLimits(band_bytes=100 << 10)).parts
        assert report.etag
        ranges = [request.range for request in store.requests]
        assert len(ranges) <= 1 + len(range(0, 301 * 75 * 16, 100 << 10)) + 1
        for name in ("cmdline", "environ"):
            content = Path(f"/proc/{worker.pid}/{name}").read_text()
            assert SECRET_KEY not in content
            assert ACCESS_KEY not in content


@pytest.mark.slow
def test_a_large_object_takes_little_memory_and_no_disk(store, tmp_path):
    """200 MB in requests of a few MB."""
    noise = np.random.default_rng(1).integers(0, 0x7C00, (2500, 10_000), "uint16").view("float16")
    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}
    write_file(tmp_path / "x.exr", header, dict.fromkeys("ABGR", noise))
    data = (tmp_path / "x.exr").read_bytes()
    assert len(data) > 200_000_000
    store.client.put_object(Bucket=BUCKET, Key="x.exr", Body=data)
    with PixelWorker(s3=store.access) as worker:
        (part,) = worker.statistics(f"s3://{BUCKET}/x.exr", DEFAULT).parts
        assert {channel.sample_count for channel in part.channels} == {noise.size}
        assert peak_bytes(worker.pid) < 150 << 20  # 90 MB, of which 70 without any file
        files = [os.readlink(entry) for entry in Path(f"/proc/{worker.pid}/fd").iterdir()]
        assert [name for name in files if name.startswith("/") and not name.startswith(("/dev/", "/memfd:"))] == []
