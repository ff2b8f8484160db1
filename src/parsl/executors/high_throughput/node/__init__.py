"""The resources of a node (CPUs, memory, accelerators, names), and the placement of workers on them."""
