"""Stand-ins for `launch_ros.actions`."""

ALLOWED = {
    "package", "executable", "name", "namespace", "parameters", "remappings", "arguments", "ros_arguments",
    "output", "emulate_tty", "sigterm_timeout", "condition",
}


class Node:
    """Records its keyword arguments; an unknown one is an error, as in the real class."""

    def __init__(self, **arguments):
        unknown = set(arguments) - ALLOWED
        if unknown:
            raise TypeError(f"Node: unknown arguments {sorted(unknown)}")
        self.arguments = arguments
