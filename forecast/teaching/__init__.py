"""What lectures and experiments use, written from the equations; production never imports it."""
