"""Stand-ins for `launch.actions`."""


class DeclareLaunchArgument:
    """A name, a default and a description."""

    def __init__(self, name, *, default_value=None, description=""):
        self.name = name
        self.default_value = default_value
        self.description = description

    def visit(self, context):
        """Sets the default unless the caller gave a value."""
        context.launch_configurations.setdefault(self.name, self.default_value)


class OpaqueFunction:
    """A function of the context that returns actions."""

    def __init__(self, *, function):
        self.function = function

    def visit(self, context):
        """Calls the function."""
        return self.function(context)
