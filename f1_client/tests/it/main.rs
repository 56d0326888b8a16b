//! The client against a stand-in server of the test's own.

mod encrypted;
mod faults;
mod requests;
mod stand_in;
