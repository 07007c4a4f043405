"""Tests of the pure rules: tables of given, when, then; no I/O."""
