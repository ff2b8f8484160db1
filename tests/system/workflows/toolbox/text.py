"""Plain functions, of use without any workflow."""

from collections import Counter


def tally(text):
    return Counter(text.split())
