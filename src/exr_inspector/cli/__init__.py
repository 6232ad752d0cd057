"""The command line: each command parses, calls one public function, and prints. No logic of its own."""
