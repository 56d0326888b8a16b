"""Stand-ins for the package `launch`, only as much as the launch files use: they record what they are given."""


class LaunchDescription:
    """Holds the entities."""

    def __init__(self, entities=()):
        self.entities = list(entities)


class LaunchContext:
    """Holds the launch configurations, as text."""

    def __init__(self):
        self.launch_configurations = {}
