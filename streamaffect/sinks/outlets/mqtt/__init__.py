"""States and events at an MQTT broker, with Home Assistant's discovery."""
