//! What the operating system wants and gives: privileges, signals, the service manager.

pub mod privileges;
pub(crate) mod service;
pub(crate) mod signals;
