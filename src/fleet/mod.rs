//! Several gateways count as one: what each sees of a source is merged on a Redis or Valkey server.
//!
//! `gateway` is a gateway's part: two threads between the engine and the servers. `store` speaks to the servers. It knows no packets and starts no threads.

pub mod gateway;
pub mod store;
