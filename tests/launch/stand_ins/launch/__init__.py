"""Stand-ins for the parts of the package `launch` that the launch files use: they record calls."""


class LaunchDescription:
    """Holds the entities."""

    def __init__(self, entities=()):
        self.entities = list(entities)


class LaunchContext:
    """Holds the launch configurations, as text."""

    def __init__(self):
        self.launch_configurations = {}
