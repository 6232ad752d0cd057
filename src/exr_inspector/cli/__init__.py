"""The command line.

In: arguments. Out: data on stdout or in a file, messages on stderr, an exit code.
Commands parse, call one public function and print; they read the settings and pass them in.
"""
