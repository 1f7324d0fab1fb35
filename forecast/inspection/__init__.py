"""Looks into fitted forecasters: how far back they look, what gradients, gates and states do."""
