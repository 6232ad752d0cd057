"""Policies: what files must be like, as YAML files that select rules and give them parameters.

A policy and an inspection go in; findings come out, and the rules that could not be evaluated. Knows nothing of
catalogs and commands, and reads no file but policies and, in `validate`, the file to validate.
"""
