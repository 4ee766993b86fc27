"""A request to a video: the only place that knows the order of the flow."""
