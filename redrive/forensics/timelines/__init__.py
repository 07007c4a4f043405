"""Timelines: what happened to one thing as spans and moments; in characters, and as a picture.

- ``timeline`` is the value that is answered. ``spans`` makes one of events: a ``story`` collects what ``run_spans`` and
  ``letter_spans`` tell of each.
- In characters: ``strip``. As a picture: ``picture``, made of ``picture_parts``, with its ``picture_foot``; both leave
  out long gaps on one ``axis``, and ``lettering`` fits names into their room.
"""
