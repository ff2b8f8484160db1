"""What all batch schedulers have in common; a dialect says what is different about one."""
