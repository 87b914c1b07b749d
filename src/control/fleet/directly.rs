//! Answers a request without a service: as one would that has this store.

use super::perform::{FleetRefusal, perform};
use super::records::told;
use super::topic::FleetTopic;
use crate::base::zone::Zone;
use crate::capture;
use crate::control::answer;
use crate::control::ask::{Reply, read};
use crate::control::request::{Form, Request, Topic};
use crate::fleet::store::Store;

/// Does what the request asks of the fleet.
///
/// # Errors
///
/// A server does not do it, or there is nothing to take back.
pub(crate) fn directly(store: &mut Store, topic: &FleetTopic, form: Form) -> Result<Reply, FleetRefusal> {
    let now = capture::now();
    let reply = perform(store, topic, now)?;
    // The same text as by a service, because it is made in the same way.
    let line = answer::told(topic.name(), &told(&reply, now, &Zone::local()), form);
    let request = Request { topic: Topic::Fleet(topic.clone()), form };
    // It can be read: it was written here.
    Ok(read(&line, &request).unwrap_or_default())
}
