"""The simulated managers of a whole supercomputer, with one real interchange and one real driver."""
