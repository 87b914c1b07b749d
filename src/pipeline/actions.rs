//! What is known of a source, and what is done about reports beside saying them: each on threads of its own.
//!
//! The steps are apart because each has its time: helpers start first of all, while nothing is open that they could
//! inherit; queues stand before the detector does; threads start last.

use std::path::PathBuf;
use std::thread::JoinHandle;

use super::{join, spawn};
use crate::config::{BlockSettings, ExecSettings, Firewall, Settings};
use crate::error::Error;
use crate::names::{self, Databases, Mark, Named, Names, Resolver};
use crate::respond::{Allowed, Blocker, Bounds, Evidence, Guard, Helper, Protected, Reporter, Tap, Webhook};
use crate::sink::Sinks;
use crate::zone::Zone;

/// Names that are looked up at the same time: a look-up may take half a minute.
const RESOLVERS: usize = 4;

/// Abuse contacts that are looked up at the same time, where evidence is kept.
const CONTACT_RESOLVERS: usize = 2;

/// What must be had before anything else.
#[derive(Default)]
pub(super) struct Actions {
    helper: Option<Helper>,
    webhook: Option<Webhook>,
    block: Option<(Bounds, Option<Guard>, Protected)>,
    allowed: Allowed,
    databases: Databases,
    looks_up_names: bool,
    report: Option<(PathBuf, Option<Reporter>)>,
}

/// What is ready, its threads not started.
pub(super) struct Ready {
    threads: Vec<Body>,
    resolvers: Vec<Resolver>,
    names: Option<Names>,
    databases: Databases,
    mark: Option<Mark>,
    tap: Option<Tap>,
}

/// What a thread does, after the thread's name.
type Body = (&'static str, Box<dyn FnOnce() + Send>);

/// Actions that are waited for.
pub(super) struct Running(Vec<JoinHandle<()>>);

impl Actions {
    /// Starts the helpers that commands and blocking need, and reads databases and what proves hosts of the web.
    pub(super) fn open(settings: &Settings) -> Result<Self, Error> {
        if settings.suggest {
            // Nobody is reported. Who stands out has a name.
            return Ok(Self {
                databases: databases(settings)?,
                looks_up_names: settings.names,
                ..Self::default()
            });
        }
        let user = settings.user().map(str::to_owned);
        let start = |exec: &ExecSettings| Helper::start(exec.command.clone(), exec.timeout, user);
        let allowed = Allowed::default();
        allowed.set(settings.allow.clone());
        Ok(Self {
            block: settings
                .block
                .as_ref()
                .map(|block| guard(block, settings, allowed.clone()))
                .transpose()?,
            allowed,
            helper: settings.exec.as_ref().map(start).transpose()?,
            webhook: settings.webhook.clone().map(Webhook::new).transpose()?,
            databases: databases(settings)?,
            looks_up_names: settings.names,
            report: settings.report_dir.clone().map(|dir| (dir, settings.report_from.clone())),
        })
    }

    /// The allow list that blocking heeds.
    pub(super) fn allowed(&self) -> Allowed {
        self.allowed.clone()
    }

    /// Has reports go to them, too.
    pub(super) fn attach(self, sinks: &mut Sinks, is_live: bool, zone: &Zone) -> Ready {
        let (names, resolvers) = self.looks_up_names.then(|| Names::new(RESOLVERS, names::system())).unzip();
        let mut resolvers: Vec<Resolver> = resolvers.unwrap_or_default();
        let mut threads: Vec<Body> = Vec::new();
        if let Some(helper) = self.helper {
            let (feed, exec, replies) = helper.exec(is_live, zone.clone(), names.clone());
            sinks.push(feed);
            threads.push(("commands", Box::new(move || exec.run())));
            threads.push(("replies", Box::new(move || replies.run())));
        }
        if let Some(webhook) = self.webhook {
            let (feed, post) = webhook.post(is_live, zone.clone(), names.clone());
            sinks.push(feed);
            threads.push(("webhook", Box::new(move || post.run())));
        }
        let mut mark: Option<Mark> = None;
        if let Some((bounds, guard, protected)) = self.block {
            let (feed, blocker) = match guard {
                Some(guard) => Blocker::guarding(guard, bounds, protected),
                None => Blocker::printing(bounds, protected, is_live),
            };
            let blocks = blocker.blocks();
            mark = Some(Box::new(move |alert| blocks.mark(alert)));
            sinks.push(feed);
            threads.push(("blocker", Box::new(move || blocker.run())));
        }
        let mut tap = None;
        if let Some((dir, reporter)) = self.report {
            let contacts = self.looks_up_names.then(|| {
                let (contacts, more) = Names::new(CONTACT_RESOLVERS, names::contacts());
                resolvers.extend(more);
                contacts
            });
            let (zone, names) = (zone.clone(), names.clone());
            let evidence = Evidence { dir, reporter, is_live, zone, names, contacts };
            let parts = evidence.split();
            tap = Some(parts.tap);
            sinks.push(parts.feed);
            threads.push(("collector", Box::new(move || parts.collector.run())));
            threads.push(("filer", Box::new(move || parts.filer.run())));
        }
        Ready { threads, resolvers, names, databases: self.databases, mark, tap }
    }
}

impl Ready {
    /// Has what is known of their sources added to reports before they come to these sinks.
    pub(super) fn name(&mut self, sinks: Sinks, is_live: bool) -> Named<Sinks> {
        let databases = std::mem::take(&mut self.databases);
        Named::new(self.names.take(), databases, self.mark.take(), is_live, sinks)
    }

    /// What knows who a source is, for who asks without reports: these have it no more.
    pub(super) fn take_names(&mut self) -> (Option<Names>, Databases) {
        (self.names.take(), std::mem::take(&mut self.databases))
    }

    /// What attempts of episodes are told to, where evidence is kept of them.
    pub(super) fn take_tap(&mut self) -> Option<Tap> {
        self.tap.take()
    }

    /// Starts the threads.
    pub(super) fn start(self) -> Result<Running, Error> {
        for resolver in self.resolvers {
            // Nobody waits for one: it may be looking a name up for a long time yet.
            spawn("names", move || resolver.run())?;
        }
        self.threads.into_iter().map(|(name, body)| spawn(name, body)).collect::<Result<_, _>>().map(Running)
    }
}

impl Running {
    /// Waits until all that was reported is done, or has had its time.
    pub(super) fn finish(self) {
        self.0.into_iter().for_each(join);
    }
}

fn databases(settings: &Settings) -> Result<Databases, Error> {
    Databases::open(settings.databases.iter().map(|written| written.value.as_path()))
}

/// What blocking needs: its bounds, the guard of the firewall where there is one to be changed, what is protected.
fn guard(
    block: &BlockSettings,
    settings: &Settings,
    allowed: Allowed,
) -> Result<(Bounds, Option<Guard>, Protected), Error> {
    let guard = match block.by {
        Firewall::Nft => Some(Guard::start(settings.user().map(str::to_owned))?),
        Firewall::Print => None,
    };
    Ok((block.bounds, guard, Protected::of_this_host(allowed)))
}
