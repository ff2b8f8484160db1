"""What a node has: CPUs, accelerators, names; pure decisions about placing workers."""
