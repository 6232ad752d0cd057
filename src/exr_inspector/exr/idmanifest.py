def decode_idmanifest(raw): return None
