"""The flow: from Kafka topics, through features and models, to purchasing-power scores."""
