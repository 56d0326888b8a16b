//! One small trait over three ROS 2 back ends, and the manners of a ROS node above it.
