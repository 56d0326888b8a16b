//! Checks that cross rooms live in `tests/tests/it`, one module a subject; this library is empty.
