"""Compensations: what makes good for an effect, proposed with its dead letter and run only on an operator's word."""
