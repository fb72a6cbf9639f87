"""Families of model weights made by real training, with the truth written down, for judging lineage.

The recipes were written by somebody who had not read the measurer, and they stay worth something only as
long as nobody tunes one to the other.
"""
