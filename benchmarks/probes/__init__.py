"""Small programs that are timed from outside, in an interpreter of their own."""
