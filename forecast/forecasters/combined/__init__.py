"""Several forecasters as one."""
