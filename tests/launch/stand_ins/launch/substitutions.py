"""Stand-ins for `launch.substitutions`."""


class LaunchConfiguration:
    """Looks a launch configuration up."""

    def __init__(self, name):
        self.name = name

    def perform(self, context):
        """The value; KeyError names an argument that was never declared."""
        return context.launch_configurations[self.name]
