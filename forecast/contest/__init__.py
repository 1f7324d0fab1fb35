"""The contest: several models on one data set, one table, one verdict."""
