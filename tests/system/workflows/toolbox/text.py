"""Plain functions, also useful without a workflow."""

from collections import Counter


def tally(text):
    return Counter(text.split())
