"""Stand-ins for `launch_ros.actions`."""

ALLOWED = {
    "package",
    "executable",
    "name",
    "namespace",
    "parameters",
    "remappings",
    "arguments",
    "ros_arguments",
    "output",
    "emulate_tty",
    "sigterm_timeout",
    "condition",
}


class Node:
    """Records its keyword arguments; an unknown one is an error, as in the real class."""

    def __init__(self, **arguments):
        unknown = set(arguments) - ALLOWED
        if unknown:
            raise TypeError(f"Node: unknown arguments {sorted(unknown)}")
        for parameters in arguments.get("parameters", ()):
            for name, value in parameters.items() if isinstance(parameters, dict) else ():
                # The real class reads it as YAML: "yes" or a URDF would not stay text.
                if isinstance(value, str):
                    raise TypeError(
                        f"Node: parameter {name} is a bare string, not a ParameterValue"
                    )
        self.arguments = arguments
