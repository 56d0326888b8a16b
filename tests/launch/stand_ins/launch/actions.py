"""Stand-ins for `launch.actions`."""


class DeclareLaunchArgument:
    """A name, a default, a description and the values that are allowed."""

    def __init__(self, name, *, default_value=None, description="", choices=None):
        if choices is not None and default_value not in choices:
            raise ValueError(f"{name}: the default {default_value!r} is none of {choices}")
        self.name = name
        self.default_value = default_value
        self.description = description
        self.choices = choices

    def visit(self, context):
        """Sets the default unless the caller gave a value; refuses a value that is no choice."""
        value = context.launch_configurations.setdefault(self.name, self.default_value)
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(
                f"Argument {self.name} provided value {value!r} is not valid: {self.choices}"
            )


class OpaqueFunction:
    """A function of the context that returns actions."""

    def __init__(self, *, function):
        self.function = function

    def visit(self, context):
        """Calls the function."""
        return self.function(context)
