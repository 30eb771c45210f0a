"""The topics of the cluster: made, checked, counted, and where their logs begin and end."""
