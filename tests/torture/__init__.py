"""Runs that are killed at random moments, and what they leave behind.

    python -m tests.torture --kills 200 --seconds 3600 --seed 1

One input, one reference. Then chains of runs, each begun on an empty output, on one that somebody
has deleted from, or on one of an older input; killed, looked at, killed again or run to the end.
"""
