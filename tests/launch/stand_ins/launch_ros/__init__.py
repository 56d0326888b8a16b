"""Stand-ins for the package `launch_ros`."""
