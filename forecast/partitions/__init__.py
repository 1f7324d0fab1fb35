"""Many series, part by part: on every core, or on the machines that joblib reaches."""
