"""Policies of events: the verdict in the result and the catalog, which files may be policies, and broken ones."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest
from cloudevents.core.bindings.http import to_binary_event

from exr_inspector import compiled_policy, inspect, open_catalog
from exr_inspector.errors import MissingExtraError, SettingsError, SourceConnectionError, UnusablePolicyError
from exr_inspector.function import results
from exr_inspector.function.handler import readiness
from exr_inspector.function.policies import Policies, assigned_policy, policy_access
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.settings import s3_access
from tests.support import exr_writer as w
from tests.support.s3_server import BUCKET

from .conftest import GOOD, element
from .test_runtime import element as cloud_event
from .test_runtime import send, serving

STRICT = 'policy: strict\nversion: "1"\nrules:\n  compression: {allowed: [ZIP]}\n'
LOOSE = STRICT.replace("[ZIP]", "[ZIP, NONE]")


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A folder for policies and one beside it, with a policy in each, and a catalog."""
    for folder in ("policies", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "strict.yaml").write_text(STRICT)
    (tmp_path / "a.1001.exr").write_bytes(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/catalog.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_POLICIES", f"{tmp_path}/policies,s3://{BUCKET}/policies")


def request(policy_path=None, path="a.1001.exr"):
    return {"data": {"path": os.path.abspath(path), "validate": True, "policy_path": policy_path}}


def rows(table):
    with open_catalog("catalog.duckdb", read_only=True) as catalog:
        return catalog.sql(f"FROM {table}").to_pylist()


@pytest.mark.slow
def test_a_direct_call_has_the_verdict_and_stores_it_once(handle):
    expected = evaluate(compiled_policy("vfx-delivery"), inspect("a.1001.exr"))
    first, again = handle(request("vfx-delivery")), handle(request("vfx-delivery"))
    verdict = first["validation"]
    assert again["validation"] == verdict
    assert (first["status"], verdict["status"], verdict["policy"]) == ("success", "failed", "vfx-delivery")
    assert verdict["errors"] + verdict["warnings"] + verdict["infos"] == verdict["finding_count"]
    assert verdict["finding_count"] == len(expected.findings)
    assert verdict["not_evaluated"] == len(expected.not_evaluated)
    shown = [(finding.rule_id, finding.message) for finding in expected.findings[:20]]
    assert [(each["rule_id"], each["message"]) for each in verdict["findings"]] == shown
    (stored,), (file,) = rows("validations"), rows("files")
    assert (stored["status"], stored["policy_hash"]) == ("failed", verdict["policy_hash"])
    assert len(rows("validation_results")) == len(expected.findings)
    assert (file["validation_status"], file["batch_id"]) == ("failed", stored["batch_id"])
    assert handle({"data": {"path": os.path.abspath("a.1001.exr")}})["validation"] is None


@pytest.mark.slow
def test_a_result_has_the_status_that_the_catalog_keeps(handle):
    """That of an event with statistics, as they decide a rule; beside the status that agrees with the counts."""
    Path("policies/black.yaml").write_text('policy: black\nversion: "1"\nselect: [black-frame]\n')
    event = request(os.path.abspath("policies/black.yaml"))
    event["data"]["stats"] = True
    first = handle(event)["validation"]
    del event["data"]["stats"]
    again = handle(event)["validation"]
    shown = ("status", "warnings", "not_evaluated", "stored_status")
    assert [tuple(each[name] for name in shown) for each in (first, again)] == [
        ("warned", 1, 0, "warned"),
        ("passed", 0, 1, "warned"),
    ]
    assert [row["status"] for row in rows("validations")] == ["warned"]


@pytest.mark.slow
def test_findings_in_results_are_bounded(handle):
    channels = [(f"layer {number:03}.Ä", w.HALF, 1, 1, 0) for number in range(300)]
    Path("b.exr").write_bytes(w.build(w.part(channels=channels)).data)
    Path("policies/names.yaml").write_text('policy: names\nversion: "1"\nselect: [EXR209, EXR208]\n')
    verdict = handle(request(os.path.abspath("policies/names.yaml"), "b.exr"))["validation"]
    assert (len(verdict["findings"]), verdict["finding_count"]) == (20, 300)
    assert [each["severity"] for each in verdict["findings"]] == sorted(
        (each["severity"] for each in verdict["findings"]), key=("error", "warning", "info").index
    )
    assert len(json.dumps(verdict)) < results.SUMMARY_BYTES
    (stored,) = rows("validations")
    numbers = ("status", "errors", "warnings", "infos")
    assert [verdict[name] for name in numbers] == [stored[name] for name in numbers]
    assert verdict["errors"] + verdict["warnings"] + verdict["infos"] == verdict["finding_count"]


def _link(folder):
    (folder / "policies/link.yaml").symlink_to(folder / "elsewhere/strict.yaml")
    return f"{folder}/policies/link.yaml"


def _extending(folder, base="../elsewhere/strict.yaml"):
    (folder / "policies/extending.yaml").write_text(f'policy: e\nversion: "1"\nextends: [{base}]\n')
    return f"{folder}/policies/extending.yaml"


def _invalid(folder):
    (folder / "policies/invalid.yaml").write_text("policy: a\nversion: 1\n")
    return f"{folder}/policies/invalid.yaml"


def _empty(folder):
    (folder / "policies/empty.yaml").write_text('policy: a\nversion: "1"\n')
    return f"{folder}/policies/empty.yaml"


def _fifo(folder):
    os.mkfifo(folder / "policies/fifo.yaml")
    return f"{folder}/policies/fifo.yaml"


ONLY = "EXR_INSPECTOR_POLICIES only"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (lambda folder: f"{folder}/elsewhere/strict.yaml", ONLY),
        (lambda folder: f"{folder}/policies/../elsewhere/strict.yaml", ONLY),
        (lambda folder: "elsewhere/strict.yaml", ONLY),
        (lambda folder: f"file://{folder}/elsewhere/strict.yaml", ONLY),
        (_link, ONLY),
        (_extending, ONLY),
        (lambda folder: _extending(folder, f"{folder}/elsewhere/strict.yaml"), ONLY),
        (lambda folder: f"s3://{BUCKET}/policies2/strict.yaml", ONLY),
        (lambda folder: f"s3://{BUCKET}/policies/../other.yaml", "other.yaml"),
        (lambda folder: "http://host/a.yaml", "http://"),
        (lambda folder: f"{folder}/policies/none.yaml", "no such file"),
        (_fifo, "FIFO"),
        (_empty, "empty.yaml:1:1: the policy selects no rule"),
        (_invalid, "invalid.yaml:2:10: version"),
        (lambda folder: "rendr", "did you mean render"),
        (lambda folder: None, "set policy_path"),
    ],
)
def test_a_policy_that_cannot_be_used_is_an_error_and_the_file_is_stored(handle, store, tmp_path, policy, reason):
    result = handle(request(policy(tmp_path)))
    assert (result["status"], result["category"], result["retryable"]) == ("error", "policy", False)
    assert reason in result["error"]
    assert (result["persistence"]["status"], result["inserted"], result["validation"]) == ("success", True, None)
    assert rows("validations") == []
    assert [row["validation_status"] for row in rows("files")] == [None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("allowed", "policy"),
    [
        ("file://{folder}/policies", "{folder}/policies/strict.yaml"),
        ("S3://{bucket}/policies", "s3://{bucket}/policies/strict.yaml"),
        ("s3://{bucket}/50%41/", "s3://{bucket}/50%2541/strict.yaml"),
    ],
)
def test_allowed_folders_and_prefixes_may_be_uris_as_policies_are(store, tmp_path, allowed, policy):
    for key in ("policies", "50%41"):
        store.put(f"{key}/strict.yaml", STRICT.encode())
    names = {"folder": tmp_path, "bucket": BUCKET}
    access = policy_access("", allowed.format(**names), s3_access(), is_delivered=False)
    assert Policies().compiled(policy.format(**names), access).policy.name == "strict"


@pytest.mark.slow
def test_policies_are_compiled_again_when_a_file_changes(handle, store, monkeypatch):
    """Also one that another policy extends; objects are compared after a minute."""
    Path("policies/own.yaml").write_text('policy: own\nversion: "1"\nextends: [strict.yaml]\n')
    local, remote = os.path.abspath("policies/own.yaml"), f"s3://{BUCKET}/policies/show/own.yaml"
    store.put("policies/show/own.yaml", Path("policies/own.yaml").read_bytes().replace(b"strict", b"../strict"))
    store.put("policies/strict.yaml", STRICT.encode())
    statuses = lambda: [handle(request(policy))["validation"]["status"] for policy in (local, remote)]  # noqa: E731
    assert statuses() == ["failed", "failed"]
    Path("policies/strict.yaml").write_text(LOOSE)
    store.put("policies/strict.yaml", LOOSE.encode())
    assert statuses() == ["passed", "failed"]
    monkeypatch.setattr("exr_inspector.function.policies._TRUSTED_S", 0)
    assert statuses() == ["passed", "passed"]
    os.remove("policies/strict.yaml")
    assert handle(request(local))["category"] == "policy"


def _refuse(*_, **__):
    raise SourceConnectionError("s3://b/policies/strict.yaml", "the object store does not respond")


@pytest.mark.slow
def test_a_policy_is_used_as_it_was_while_the_store_does_not_respond(handle, store, monkeypatch):
    """Without one that was read before, the event is to be delivered again; the file is stored already."""
    remote = f"s3://{BUCKET}/policies/strict.yaml"
    store.put("policies/strict.yaml", STRICT.encode())
    with monkeypatch.context() as outage:
        outage.setattr("exr_inspector.function.policies.open_source", _refuse)
        result = handle(request(remote))
    assert (result["status"], result["category"], result["retryable"]) == ("error", "connection", True)
    assert (result["inserted"], result["validation"]) == (True, None)
    assert handle(request(remote))["validation"]["status"] == "failed"
    monkeypatch.setattr("exr_inspector.function.policies._TRUSTED_S", 0)
    monkeypatch.setattr("exr_inspector.function.policies.open_source", _refuse)
    assert handle(request(remote))["validation"]["status"] == "failed"


def test_local_policies_are_kept_while_the_store_is_misconfigured(folders):
    policies = Policies()

    def compiled():
        access = policy_access("", os.path.abspath("policies"), SettingsError("no keys"), is_delivered=False)
        return policies.compiled(os.path.abspath("policies/strict.yaml"), access)

    assert compiled() is compiled()


def test_an_invalid_policy_takes_no_memory_for_each_event(folders):
    """Each event has an error of its own, with the traceback of that event alone."""
    Path("policies/strict.yaml").write_text("policy: [")
    policies, path = Policies(), os.path.abspath("policies/strict.yaml")
    access = policy_access("", os.path.abspath("policies"), SettingsError("no keys"), is_delivered=False)
    errors = []
    for _ in range(3):
        with pytest.raises(UnusablePolicyError, match=r"strict\.yaml:") as raised:
            policies.compiled(path, access)
        errors.append(raised.value)
    assert len({len(traceback.extract_tb(error.__traceback__)) for error in errors}) == 1
    assert len(set(map(id, errors))) == 3
    assert len(set(map(str, errors))) == 1


@pytest.mark.slow
def test_paths_of_delivered_events_select_policies(ctx, handle, store, monkeypatch):
    """A broken policy is returned, not delivered again, and the files are stored."""
    assigned = f"**/plates/**={os.path.abspath('policies/strict.yaml')}; **/broken/** = nope.yaml; **/final/**=base"
    monkeypatch.setenv("EXR_INSPECTOR_POLICY", assigned)
    for name in ("plates/a.exr", "final/a.exr", "broken/a.exr", "other/a.exr"):
        store.put(name, GOOD)
    plate, render, broken, other = (handle(element(f"{name}/a.exr")) for name in ("plates", "final", "broken", "other"))
    assert (plate["summary"]["validation"]["status"], plate["summary"]["validation"]["policy"]) == ("failed", "strict")
    assert render["summary"]["validation"]["policy"] == "base"
    assert (broken["category"], broken["persistence"]["status"]) == ("policy", "success")
    assert (other["status"], other["summary"]["validation"]) == ("success", None)
    assert len(rows("files")) == 4
    assert {row["policy_id"] for row in rows("validations")} == {"strict", "base"}
    assert ("exr_inspector.files", 1, {"status": "error", "category": "policy"}) in ctx.counted
    assert handle({"data": {"path": f"s3://{BUCKET}/plates/a.exr"}})["validation"] is None
    asked = handle({"data": {"path": f"s3://{BUCKET}/plates/a.exr", "validate": True}})
    assert asked["validation"]["policy"] == "strict"


def test_one_policy_may_apply_to_all_paths():
    assert assigned_policy("render", "s3://b/a.exr") == "render"
    assert assigned_policy("**/a=b/**=plate;**=render", "s3://b/a=b/x.exr") == "plate"
    assert assigned_policy("", "s3://b/a.exr") is None
    assert assigned_policy("s3://pol/a=b.yaml", "s3://b/a.exr") == "s3://pol/a=b.yaml"
    assert assigned_policy("**=s3://pol/a=b.yaml", "s3://b/a.exr") == "s3://pol/a=b.yaml"


def test_relative_patterns_match_the_ends_of_paths_as_in_policies():
    assigned = "plates/**=plate;*.####.exr=render"
    uris = ("s3://b/show/plates/x/a.exr", "file:///show/a.1001.exr", "s3://b/show/a.exr")
    assert [assigned_policy(assigned, uri) for uri in uris] == ["plate", "render", None]


@pytest.mark.parametrize("assigned", ["**/p/**=", "rendr", "render;**/p/**=nope", "=render"])
def test_an_invalid_setting_is_reported_before_events(handle, ctx, monkeypatch, assigned):
    monkeypatch.setenv("EXR_INSPECTOR_POLICY", assigned)
    error = readiness.error(ctx)
    assert isinstance(error, SettingsError)
    assert "EXR_INSPECTOR_POLICY" in str(error)
    assert handle(request("base"))["category"] == "settings"


@pytest.mark.slow
def test_an_invalid_setting_is_the_verdict_of_files_that_need_a_policy(handle, store, monkeypatch):
    """They are stored; files that need none are not affected."""
    monkeypatch.setenv("EXR_INSPECTOR_POLICY", "rendr")
    monkeypatch.setenv("EXR_INSPECTOR_ON_MISCONFIGURATION", "return")
    store.put("a.exr", GOOD)
    for result in (handle(request("base")), handle(element("a.exr"))):
        assert (result["status"], result["category"], result["persistence"]["status"]) == (
            "error",
            "settings",
            "success",
        )
        assert "EXR_INSPECTOR_POLICY" in result["error"]
    assert handle({"data": {"path": os.path.abspath("a.1001.exr")}})["status"] == "success"
    assert len(rows("files")) == 2


def test_a_policy_of_the_same_size_and_time_is_compiled_again(folders):
    path, policies = Path("policies/strict.yaml").absolute(), Policies()
    access = policy_access("", str(path.parent), SettingsError("no keys"), is_delivered=False)
    before = policies.compiled(str(path), access)
    times = path.stat()
    path.write_text(STRICT.replace("ZIP", "RLE"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert policies.compiled(str(path), access).hash != before.hash


def test_an_extra_that_a_policy_needs_is_named(handle, monkeypatch):
    def fails(*_):
        raise MissingExtraError("policy", "judging files")

    monkeypatch.setattr("exr_inspector.policy.evaluate.evaluate", fails)
    assert str(MissingExtraError("policy", "judging files")) in handle(request("base"))["error"]


def test_a_fault_of_a_rule_does_not_stop_the_file_from_being_stored(handle, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("exr_inspector.policy.evaluate.evaluate", fails)
    result = handle(request("base"))
    assert (result["category"], result["inserted"]) == ("policy", True)
    assert "ZeroDivisionError" in result["error"]


@pytest.mark.slow
def test_events_over_http_are_validated(deployed):
    """Through the runtime in a process of its own, with a policy in the store, on a VAST Database."""
    deployed.store.put("policies/strict.yaml", STRICT.encode())
    deployed.store.put("plates/a.exr", GOOD)
    settings = {
        "EXR_INSPECTOR_CATALOG": "",
        "EXR_INSPECTOR_POLICIES": f"s3://{BUCKET}/policies/",
        "EXR_INSPECTOR_POLICY": f"**/plates/**=s3://{BUCKET}/policies/strict.yaml",
    }
    with serving(**settings) as (url, _):
        for _ in range(2):
            answer = send(url, to_binary_event(cloud_event("plates/a.exr")), accept="application/json")
            assert answer.json()["summary"]["validation"]["status"] == "failed"
    query = "SELECT policy_id, files.validation_status FROM validations JOIN files USING (file_id)"
    with open_catalog(deployed.uri, read_only=True) as catalog:
        assert catalog.sql(query).to_pylist() == [{"policy_id": "strict", "validation_status": "failed"}]
