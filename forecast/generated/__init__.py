"""Generated series: priors over processes, seasons, events and kinds of observation."""
