"""Payloads encrypted per subject, and keys that can be destroyed.

- ``options`` are what a host says, ``models`` what it is answered; ``wiring`` brings a log and its keys together.
- ``encryption`` is of rows, by the ``cipher`` of one subject, with a key from the ``key_store``.
- ``destruction`` is of a key, and of every copy of what it encrypted, in all ``places`` that have views.
"""
