//! One test binary for all checks that cross rooms: one link, one module a subject.
