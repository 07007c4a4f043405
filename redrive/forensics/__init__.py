"""Forensics: any past moment can be looked at, explained and re-tried on paper."""
