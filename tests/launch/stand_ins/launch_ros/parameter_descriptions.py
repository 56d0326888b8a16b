"""Stand-ins for `launch_ros.parameter_descriptions`."""


class ParameterValue:
    """A value with its type, which launch does not read as YAML."""

    def __init__(self, value, *, value_type=None):
        self.value = value
        self.value_type = value_type
