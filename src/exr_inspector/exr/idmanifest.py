from dataclasses import dataclass


@dataclass(frozen=True)
class IdManifest:
    groups: tuple = ()


def decode_idmanifest(raw):
    return None
