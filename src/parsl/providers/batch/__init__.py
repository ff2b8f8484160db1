"""Everything that the providers of batch schedulers share; a dialect describes one scheduler."""
