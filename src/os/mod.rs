//! The interfaces to the operating system: privileges, signals, the service manager.

pub mod privileges;
pub(crate) mod service;
pub(crate) mod signals;
