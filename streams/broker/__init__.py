"""Everything that speaks to Kafka outside of Faust, and the embedded broker."""
