"""The flow: from Kafka topics, through features and models, to purchasing-power scores."""

import os

# Feast turns this on, for a server of its own and for every process started later: Prometheus' client would keep all
# values in files there. Taken back before anything here imports that client.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
