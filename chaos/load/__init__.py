"""A whole supercomputer's managers, simulated, against one real interchange and one real driver."""
