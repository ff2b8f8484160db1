"""What is known of how Parsl is used: nothing, unless a configuration says otherwise."""
