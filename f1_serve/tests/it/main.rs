//! The server's decoders, given what no client sends.

mod hostile;
