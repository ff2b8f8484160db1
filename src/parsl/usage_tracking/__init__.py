"""Usage tracking, which is off unless a configuration turns it on."""
