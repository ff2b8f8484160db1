"""The stand-in for HTCondor, as far as its manual tells what it prints."""
