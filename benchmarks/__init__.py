"""The benchmark suite: this package against its peers, measured in one run."""
