"""Our forecasters in the manners of other libraries, which are optional."""
