//! What `synwatch top` makes of snapshots.

mod plain;

pub(crate) use plain::plain;
