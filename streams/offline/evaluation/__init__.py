"""The evaluation report: rows that no scorer was fitted on, the measures on them, and the page that shows them."""
