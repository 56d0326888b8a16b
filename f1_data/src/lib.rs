//! LeRobot data sets, normalisation, and the image transforms shared by training and the live path.
