"""Manifests of a deployment: templates of this package and validated values in, the text of files out.

Reads nothing but its templates, and writes nothing. Knows no keys: manifests name the secret that has them.
"""

from .keys import KEYS, Key
from .render import Target, keys_of, render

__all__ = ["KEYS", "Key", "Target", "keys_of", "render"]
