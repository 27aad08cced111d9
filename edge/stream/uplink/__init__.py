"""The way out to an MQTT 5 broker: what was committed is sent until it has arrived, and commands come back."""
