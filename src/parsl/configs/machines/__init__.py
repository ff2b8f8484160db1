"""What is known of each machine."""
