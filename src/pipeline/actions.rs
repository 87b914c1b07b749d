//! What is done about reports beside saying them, each on threads of its own.
//!
//! The steps are apart because each has its time: helpers start first of all, while nothing is open that they could
//! inherit; queues stand before the detector does; threads start last.

use std::thread::JoinHandle;

use super::{join, spawn};
use crate::config::{ExecSettings, Settings};
use crate::error::Error;
use crate::respond::{Helper, Webhook};
use crate::sink::Sinks;
use crate::zone::Zone;

/// What actions need that must be had before anything else.
pub(super) struct Actions {
    helper: Option<Helper>,
    webhook: Option<Webhook>,
}

/// Actions whose threads have not started.
pub(super) struct Ready(Vec<Body>);

/// What a thread does, after the thread's name.
type Body = (&'static str, Box<dyn FnOnce() + Send>);

/// Actions that are waited for.
pub(super) struct Running(Vec<JoinHandle<()>>);

impl Actions {
    /// Starts the helper that commands need, and reads what proves hosts of the web.
    pub(super) fn open(settings: &Settings) -> Result<Self, Error> {
        let user = settings.user.clone();
        let start = |exec: &ExecSettings| Helper::start(exec.command.clone(), exec.timeout, user);
        Ok(Self {
            helper: settings.exec.as_ref().map(start).transpose()?,
            webhook: settings.webhook.clone().map(Webhook::new).transpose()?,
        })
    }

    /// Has reports go to them, too.
    pub(super) fn attach(self, sinks: &mut Sinks, is_live: bool, zone: &Zone) -> Ready {
        let mut ready = Ready(Vec::new());
        if let Some(helper) = self.helper {
            let (feed, exec, replies) = helper.exec(is_live, zone.clone());
            sinks.push(feed);
            ready.0.push(("commands", Box::new(move || exec.run())));
            ready.0.push(("replies", Box::new(move || replies.run())));
        }
        if let Some(webhook) = self.webhook {
            let (feed, post) = webhook.post(is_live, zone.clone());
            sinks.push(feed);
            ready.0.push(("webhook", Box::new(move || post.run())));
        }
        ready
    }
}

impl Ready {
    /// Starts the threads.
    pub(super) fn start(self) -> Result<Running, Error> {
        self.0.into_iter().map(|(name, body)| spawn(name, body)).collect::<Result<_, _>>().map(Running)
    }
}

impl Running {
    /// Waits until all that was reported is done, or has had its time.
    pub(super) fn finish(self) {
        self.0.into_iter().for_each(join);
    }
}
