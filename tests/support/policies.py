"""Policies whose file is in memory."""

from exr_inspector.policy.load import load_policy
from exr_inspector.policy.model import Policy
from exr_inspector.policy.yaml_models import read_file


def parse_policy(source: str, data: bytes) -> Policy:
    """The policy in the bytes of a file named `source`; those that it extends are built in or on disk."""
    return load_policy(source, lambda path: data if path == source else read_file("policy", path))
