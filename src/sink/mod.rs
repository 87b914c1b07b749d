//! Alert in, bytes out: how what is found is said.
