"""Tests of redrive."""
