//! Several gateways count as one: what each sees of a source is merged on a Redis or Valkey server.
//!
//! `store` speaks to the servers. It knows no packets and starts no threads.

pub mod store;
