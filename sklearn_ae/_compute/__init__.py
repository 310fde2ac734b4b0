"""torch without skorch: rows on a device, inference, and the policy of device and threads."""
