"""The stand-in for PBS Pro, after recorded answers of two versions of OpenPBS."""
