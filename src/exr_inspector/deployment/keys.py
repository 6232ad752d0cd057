"""The values of manifests: what each means, its form, its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SettingsError

# Text of these forms needs no quoting in YAML, in a shell or in JSON.
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # of S3
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_REPOSITORY = r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
_TAG = r"(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_IMAGE = (
    r"(?:[a-z0-9.-]+(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?:@sha256:[0-9a-f]{64}|:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})"
)
_URL = r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]*)?"
_OBJECTS = r"s3:/(?:/[A-Za-z0-9._=-]+)+/?"
_CRON = r"[0-9*][0-9*/,-]*(?: [0-9*][0-9*/,-]*){4}"
_ZONE = r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+)*"
_MEMORY = r"[1-9][0-9]*[MG]i"
_CPU = r"[1-9][0-9]*m"
_TYPE = r"[A-Za-z0-9][A-Za-z0-9.:_/-]*"
_LEVEL = r"DEBUG|INFO|WARNING|ERROR"
_NUMBER = r"[0-9]{1,6}"

_FORMS = {
    _NAME: "lower-case letters, digits and hyphens",
    _BUCKET: "a bucket name, 3 to 63 characters: a-z, 0-9, '.' and '-', no '.' or '-' at an end",
    _WORD: "letters, digits, '.', '_' and '-'",
    _REPOSITORY: "the path of a repository, such as studio/exr-inspector",
    _TAG: "a tag that is not latest, as nodes do not pull a tag again",
    _IMAGE: "an image with a digest or a tag that is not latest, such as registry.example.com/exr-inspector:1.0.0",
    _URL: "an http:// or https:// URL, without user and password",
    _OBJECTS: "an s3:// URI of letters, digits, '.', '_', '=', '-' and '/'",
    _CRON: "five fields of cron, such as '30 1 * * *'",
    _ZONE: "the name of a time zone, such as Europe/Berlin",
    _MEMORY: "an amount of memory, such as 512Mi or 2Gi",
    _CPU: "thousandths of a core, such as 500m or 2000m",
    _TYPE: "letters, digits, '.', ':', '_', '/' and '-'",
    _LEVEL: "DEBUG, INFO, WARNING or ERROR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A value of manifests. `low` and `high` are the bounds of a number."""

    meaning: str
    form: str  # a regular expression
    default: str | None = None  # None: required
    example: str = ""  # of a required value
    low: int = 0
    high: int = 0

    @property
    def expected(self) -> str:
        """The form in words."""
        return f"an integer from {self.low} to {self.high}" if self.form == _NUMBER else _FORMS[self.form]

    def accepts(self, text: str) -> bool:
        """Whether a value has the form."""
        is_whole = re.fullmatch(self.form, text) is not None
        return is_whole and (self.form != _NUMBER or self.low <= int(text) <= self.high)


def _number(meaning: str, low: int, high: int, default: str | None = None, example: str = "") -> Key:
    return Key(meaning=meaning, form=_NUMBER, default=default, example=example, low=low, high=high)


KEYS = {
    # all targets
    "namespace": Key(meaning="Namespace of all objects.", form=_NAME, default="default"),
    "secret": Key(
        meaning="Name of the secret with the keys of the database and of the object store.",
        form=_NAME,
        default="exr-inspector",
    ),
    "s3_endpoint": Key(meaning="URL of the object store.", form=_URL, example="http://vip-pool.cluster.example.com"),
    "db_endpoint": Key(meaning="URL of the VAST Database.", form=_URL, example="http://vip-pool.cluster.example.com"),
    "db_bucket": Key(meaning="Database bucket of the catalog.", form=_WORD, example="catalogs"),
    "db_schema": Key(meaning="Schema of the catalog.", form=_WORD, default="exr_metadata"),
    "log_level": Key(meaning="Minimum log level.", form=_LEVEL, default="INFO"),
    "memory": Key(meaning="Memory of the function, requested and limit.", form=_MEMORY, default="1Gi"),
    "cpu": Key(meaning="Cores of the function; on DataEngine also the limit.", form=_CPU, default="1000m"),
    # containers
    "image": Key(
        meaning="Image made with `deploy/Dockerfile`.",
        form=_IMAGE,
        example="registry.example.com/exr-inspector:1.0.0",
    ),
    "max_scale": _number("Maximum number of instances.", 1, 1000, "10"),
    "retries": _number("Attempts to deliver an event again.", 1, 20, "8"),
    # VAST DataEngine
    "container_registry": Key(
        meaning="Container registry, as linked to DataEngine.", form=_NAME, example="studio-registry"
    ),
    "artifact_source": Key(
        meaning="Repository of the image in that registry.", form=_REPOSITORY, example="studio/exr-inspector"
    ),
    "image_tag": Key(meaning="Tag of the image; a new one for each build.", form=_TAG, example="1.0.0"),
    "revision": _number("Published revision of the function that runs.", 1, 999_999, example="1"),
    "kubernetes_cluster": Key(meaning="Kubernetes cluster of DataEngine.", form=_NAME, example="compute"),
    "broker": Key(meaning="Event broker.", form=_WORD, example="events"),
    "topic": Key(meaning="Topic of the events.", form=_WORD, example="renders"),
    "bucket": Key(meaning="Bucket whose objects are inspected.", form=_BUCKET, example="renders"),
    # Knative
    "knative_broker": Key(meaning="Broker of the events.", form=_NAME, default="default"),
    "event_type": Key(
        meaning="Beginning of the `type` of events that concern files.",
        form=_TYPE,
        default="vastdata.com:Element.",
    ),
    "dead_letters": Key(
        meaning="URL that receives events after the last attempt.",
        form=_URL,
        example="http://dead-letters.default.svc.cluster.local",
    ),
    # jobs
    "shows": Key(meaning="Prefix of all shows.", form=_OBJECTS, example="s3://renders/shows"),
    "backups": Key(
        meaning="Prefix of backups; each is a folder below it.", form=_OBJECTS, example="s3://backups/exr-inspector"
    ),
    "reports_claim": Key(
        meaning="PersistentVolumeClaim for the tables of reports.", form=_NAME, example="exr-inspector-reports"
    ),
    "reconcile_schedule": Key(meaning="When to reconcile.", form=_CRON, default="30 1 * * *"),
    "backup_schedule": Key(meaning="When to make a backup.", form=_CRON, default="0 4 * * *"),
    "reports_schedule": Key(meaning="When to make the reports.", form=_CRON, default="0 6 * * *"),
    "time_zone": Key(meaning="Time zone of the schedules.", form=_ZONE, default="Etc/UTC"),
    "job_memory": Key(meaning="Memory of a job, requested and limit.", form=_MEMORY, default="4Gi"),
    # compose
    "port": _number("Port of the function on this machine.", 1, 65535, "8080"),
    "minio_image": Key(
        meaning="Image of MinIO, the object store.",
        form=_IMAGE,
        default="quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z",
    ),
    "client_image": Key(
        meaning="Image of MinIO's client, which creates the bucket.",
        form=_IMAGE,
        default="quay.io/minio/mc:RELEASE.2025-08-13T08-35-41Z",
    ),
}

_SENSITIVE = r"(?i)secret_?key|access_?key|password|passwd|token|credential|session"


def completed(target: str, names: frozenset[str], given: Mapping[str, str]) -> dict[str, str]:
    """The values of the keys `names`, given ones and defaults. Raises SettingsError that names every error."""
    errors = [error for name, text in given.items() if (error := _error(target, names, name, text))]
    missing = [name for name in KEYS if name in names and name not in given and KEYS[name].default is None]
    if missing:
        lines = (f"{name} ({KEYS[name].meaning.rstrip('.')}, such as {KEYS[name].example})" for name in missing)
        errors.append(f"missing values: {'; '.join(lines)}; give each as --set KEY=VALUE")
    if errors:
        raise SettingsError("; ".join(errors))
    return {name: given.get(name) or KEYS[name].default or "" for name in names}


def _error(target: str, names: frozenset[str], name: str, text: str) -> str:
    """What is wrong with a value; empty if it is valid. An unknown key's value is not repeated: it may be a secret."""
    if name in names:
        key = KEYS[name]
        given = "" if key.form == _URL else f", given {text[:100]!r}"  # a URL may have a password
        return "" if key.accepts(text) else f"{name}: expected {key.expected}{given}"
    if name in KEYS:
        return f"{name}: target {target} has no such value; leave it out"
    if re.search(_SENSITIVE, name):
        return f"{name}: keys and tokens are not written into manifests; store them in the secret that `secret` names"
    from difflib import get_close_matches

    closest = get_close_matches(name[:100], sorted(names), n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(closest)}?" if closest else f"; known are {', '.join(sorted(names))}"
    return f"{name[:100]!r} is not a value of target {target}{hint}"
