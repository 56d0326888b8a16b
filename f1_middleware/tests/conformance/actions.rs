//! FollowJointTrajectory both ways.
