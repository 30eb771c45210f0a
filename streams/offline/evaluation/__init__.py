"""The evaluation report: rows no scorer was fitted on, what is measured on them, and the page that shows it."""
