"""The stand-in for IBM Spectrum LSF, as far as its manual tells what it prints."""
