//! The robot side without ROS: robot files, kinematics, action decoding, splice and the safety filter.
