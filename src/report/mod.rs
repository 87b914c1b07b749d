//! Sinks: turn alerts into bytes.
//!
//! The detector's thread calls the sinks and passes the time. A sink formats an alert and adds nothing. A failed write
//! (the disk is full, the reader has gone) is warned of once and counted; the run continues.

pub mod capture;
pub mod console;
mod escape;
pub mod enrich;
mod eve;
mod folder_name;
pub(crate) mod exporter;
mod rate_limiter;
mod journal;
mod lines;
mod metrics;
mod notify;
mod record;
mod stats_record;
#[cfg(test)]
pub(crate) mod sample;
pub mod summary;
mod syslog;
pub(crate) mod text;

pub(crate) use capture::CaptureWriter;
pub(crate) use console::Console;
pub(crate) use escape::Escaped;
pub(crate) use eve::{Eve, record_of};
pub(crate) use folder_name::folder_name;
pub(crate) use journal::{LogFormat, Priority};
pub use lines::Lines;
pub(crate) use metrics::Reason;
pub use metrics::{ActionCounts, Delivered, Deliveries, Delivery, FleetCounts, Metrics, Page};
pub(crate) use notify::Notified;
pub use notify::Notify;
pub(crate) use record::{AlertRecord, micros};
pub(crate) use stats_record::Counted;
pub(crate) use syslog::Syslog;
pub use text::Text;
pub(crate) use text::{Elapsed, Rate, line_of};
