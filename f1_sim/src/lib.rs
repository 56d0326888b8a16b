//! The bench: a simulated arm at a moving belt, on the same topics as a real robot.
