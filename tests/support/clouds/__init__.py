"""Stand-ins of clouds: what a machine or a pod would run, runs as processes of this machine."""
