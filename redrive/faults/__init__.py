"""The fault simulator: one seed decides who acts next, what the time is, and what fails.

Everything runs in one thread on one log, in a file or on a server: several engines stand for several processes, and
the connections that they open ask the simulator before and after every statement. Not to be mixed up with
``redrive.simulation``, whose simulated *tasks* stand in for the work of a flow: here the work is a pretext, and the
faults are the point.
"""
