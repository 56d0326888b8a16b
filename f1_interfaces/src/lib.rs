//! ROS 2 message types as plain serde structs, and their CDR encoding.
