"""One program per engine, each run by the interpreter of its own environment: ``URL LIFECYCLES WAY``, one line of JSON.

Nothing here may import redrive but the driver that measures it: the other environments do not have it.
"""
