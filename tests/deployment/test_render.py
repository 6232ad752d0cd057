"""`deploy render`: values are checked, and the files of deploy/ are what it gives for the example values."""

from __future__ import annotations

import itertools
import re
import shlex

import pytest
import typer
import yaml

from exr_inspector.cli.main import app, main
from exr_inspector.deployment.keys import KEYS
from exr_inspector.deployment.render import Target, keys_of, render
from exr_inspector.doctor.configuration import configuration
from exr_inspector.doctor.model import Stage
from exr_inspector.doctor.model import Target as DoctorTarget
from exr_inspector.function.local import sink, telemetry
from exr_inspector.function.local.runtime import EXIT_S
from exr_inspector.settings import FunctionSettings, S3Settings, Settings, VastSettings
from tools.constraints import CONSTRAINTS, needed
from tools.deploy import DEPLOY, example_values, generated
from tools.vastde_lint import amount

FILES = {path: text for target in Target for path, text in render(target, example_values(target)).items()}
DOCUMENTS = {path: list(yaml.safe_load_all(text)) for path, text in FILES.items()}


def options(target: Target, **changed: str) -> list[str]:
    values = example_values(target) | changed
    return ["--target", target.value, *itertools.chain(*(("--set", f"{key}={value}") for key, value in values.items()))]


def walk(value):
    """All mappings, lists and scalars of a document."""
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(each)


def test_the_files_of_deploy_are_rendered_from_the_templates():
    files = generated()
    assert {path: (DEPLOY / path).read_text("utf-8") for path in files} == files, "run `make docs`"
    by_hand = {"Dockerfile", "config.yaml", "constraints.txt", "prometheus/rules_test.yml"}
    assert {path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()} == by_hand | set(files)


@pytest.mark.parametrize("target", Target)
def test_the_command_writes_all_files_of_a_target(target, tmp_path, capfd):
    assert main(["deploy", "render", *options(target), "--output", str(tmp_path / "out")]) == 0
    expected = render(target, example_values(target))
    written = {name: (tmp_path / "out" / name).read_text("utf-8") for name in expected}
    assert written == expected
    capfd.readouterr()
    assert main(["deploy", "render", *options(target)]) == 0
    printed = capfd.readouterr().out
    assert list(yaml.safe_load_all(printed)) == [document for name in expected for document in DOCUMENTS[name]]


@pytest.mark.parametrize("target", [Target.DATAENGINE, Target.KNATIVE, Target.KUBERNETES])
@pytest.mark.parametrize(("memory", "cpu"), [("256Mi", "4000m"), ("8Gi", "100m")])
def test_minimum_resources_are_within_the_maximum(target, memory, cpu):
    """Kubernetes rejects requests above limits."""
    values = {"memory": memory, "cpu": cpu, "job_memory": memory}
    given = example_values(target) | {name: text for name, text in values.items() if name in keys_of(target)}
    count = 0
    for text in render(target, given).values():
        for node in walk(list(yaml.safe_load_all(text))):
            if isinstance(node, dict) and "limits" in node:
                low, high = node["requests"], node["limits"]
            elif isinstance(node, dict) and "min_memory" in node:
                low, high = ({name: node[f"{end}_{name}"] for name in ("cpu", "memory")} for end in ("min", "max"))
            else:
                continue
            count += 1
            assert all(amount(low[name]) <= amount(high[name]) for name in high)
    assert count == (3 if target is Target.KUBERNETES else 1)


@pytest.mark.parametrize("target", Target)
def test_every_value_appears_in_the_manifests(target):
    """Each is replaced by another one of its form, which then is in the text, and no placeholder is left."""
    keys = {name: KEYS[name] for name in keys_of(target)}
    others = {name: str(key.high) if key.high else key.example or key.default for name, key in keys.items()}
    others |= {name: "another-name" for name in ("namespace", "secret", "db_bucket") if name in others}
    texts = "\n".join(render(target, others).values())
    assert not re.search(r"\$\{[a-z]|<[a-z]|TODO|changeme", texts)
    assert all(value in texts for value in others.values())


def test_every_key_belongs_to_a_target_and_has_an_example_of_its_form():
    assert frozenset().union(*map(keys_of, Target)) == set(KEYS)
    assert not any(map(KEYS["bucket"].accepts, ("UPPER_case", "ab", "a" * 64, "-renders", "renders.")))
    for name, key in KEYS.items():
        assert key.accepts(key.example if key.default is None else key.default), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "imgae=x:1"], "'imgae' is not a value of target knative; did you mean image?"),
        (["--set", "shows=s3://renders"], "shows: target knative has no such value"),
        (["--set", "image=studio/exr:latest"], "image: expected an image with a digest or a tag that is not latest"),
        (["--set", "image=<image>"], "image: expected"),
        (["--set", "namespace=a\nb: c"], "namespace: expected lower-case letters"),
        (["--set", "retries=0"], "retries: expected an integer from 1 to 20, given '0'"),
        (["--set", "retries=many"], "retries: expected an integer"),
        (["--set", "memory=1g"], "memory: expected an amount of memory"),
        (["--set", "namespace="], "namespace: expected"),
        (["--set", "namespace"], "--set: expected a name, = and a value, such as --set namespace=renders"),
        (["--set", "namespace=a", "--set", "namespace=b"], "given twice"),
        ([], "missing values: s3_endpoint (URL of the object store, such as http"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_valid_is_an_error(words, message, capfd):
    assert main(["deploy", "render", "--target", "knative", *words]) == 2
    captured = capfd.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("text", ["s3_secret_key=hunter2", "token=hunter2", "s3_endpoint=http://user:hunter2@store"])
def test_secrets_are_rejected_and_not_repeated(text, capfd):
    assert main(["deploy", "render", "--target", "knative", "--set", text]) == 2
    message = capfd.readouterr().err
    assert text.partition("=")[0] in message
    assert "hunter2" not in message


def test_manifests_set_variables_that_exist():
    known = {
        str(field.validation_alias or f"{kind.model_config['env_prefix']}{name.upper()}")
        for kind in (Settings, FunctionSettings, VastSettings, S3Settings)
        for name, field in kind.model_fields.items()
    }
    serve = typer.main.get_command(app()).commands["function"].commands["serve"]
    known |= {str(option.envvar) for option in serve.params if option.envvar}
    pattern = r"\b(?:EXR_INSPECTOR|VAST_DB|S3)_[A-Z_0-9]+\b"
    named = {name for text in generated().values() for name in re.findall(pattern, text)}
    assert len(named) > 10
    assert named <= known


def test_doctor_knows_the_variables_of_manifests(monkeypatch):
    named = {name for text in generated().values() for name in re.findall(r"\bEXR_INSPECTOR_[A-Z_0-9]+\b", text)}
    assert len(named) > 5
    for name in named:
        monkeypatch.setenv(name, "1")
    target = DoctorTarget(uri="duckdb:none.duckdb", uri_source="", stage=Stage.BEFORE, deep=False)
    assert named.isdisjoint(check.name for check in configuration(target))


def command_lines():
    """The words of each call of exr-inspector in a manifest."""
    for path, documents in DOCUMENTS.items():
        for node in walk(documents):
            if not isinstance(node, dict) or "image" not in node or "exr-inspector" not in node["image"]:
                continue
            words = node.get("args") or node["command"]
            if "/bin/sh" not in node.get("command", ()):
                yield pytest.param(words, id=f"{path}: {words[0]}")
                continue
            for line in re.findall(r"exr-inspector ([^|\n]+)", words[0]):
                yield pytest.param(shlex.split(line.replace("$report", "storage")), id=f"{path}: {line.split()[0]}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_manifests_call_commands_and_options_that_exist(words):
    command = typer.main.get_command(app())
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("exr-inspector", list(words))


def test_the_image_installs_the_constrained_versions_of_all_packages():
    lines = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert {line.partition("==")[0] for line in lines} == needed(), "run `make constraints`"
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)


def test_instances_have_the_time_that_they_need_to_end():
    """Knative gives `timeoutSeconds`; the function finishes accepted events, and then sends what it has to send."""
    assert sink.CLOSE_S + telemetry.CLOSE_S < EXIT_S
    needed_s = 2 * FunctionSettings().deadline_s + EXIT_S
    service = DOCUMENTS["knative.yaml"][0]["spec"]["template"]["spec"]
    assert service["timeoutSeconds"] > needed_s
    grace = DOCUMENTS["compose.yaml"][0]["services"]["function"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > needed_s
