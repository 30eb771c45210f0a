"""Models in production: reload, shadow, drift, live calibration."""
