//! Perception, foresight, action and safety filter: four ROS 2 nodes in one process.
