"""What ``parsl explain`` is made of."""
