//! Enrichment and actions, each on its own threads.
//!
//! There are separate steps because each has its time: helpers start first, before anything is open that they could
//! inherit; queues are made before the detector; threads start last.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use super::{join, spawn};
use crate::act::{
    Allowed, Asked, Blocker, Bounds, Evidence, Guard, Helper, Protected, Reporter, Webhook, warn_of_bridges,
};
use crate::base::zone::Zone;
use crate::config::{BlockSettings, Firewall, Input, Settings};
use crate::detect::Sinks;
use crate::error::Error;
use crate::report::enrich::{self, Databases, Mark, Named, Names, Resolver};
use crate::report::{ActionCounts, Deliveries, Notified, Notify};

/// Number of simultaneous lookups of names: a lookup may take half a minute.
const RESOLVERS: usize = 4;

/// Number of simultaneous lookups of abuse contacts, if evidence is kept.
const CONTACT_RESOLVERS: usize = 2;

/// Resources that must be opened before all others.
#[derive(Default)]
pub(super) struct Actions {
    /// Each with the reports that it gets.
    helper: Option<(Helper, Notify)>,
    webhook: Option<(Webhook, Notify)>,
    has_syslog: bool,
    block: Option<Block>,
    allowed: Allowed,
    counts: ActionCounts,
    databases: Databases,
    looks_up_names: bool,
    report: Option<(PathBuf, Option<Reporter>)>,
}

/// The parts of blocking.
struct Block {
    bounds: Bounds,
    means: Means,
    protected: Protected,
}

enum Means {
    Nft(Guard),
    Print,
    DryRun,
}

/// Actions that are ready, without their threads.
pub(super) struct Ready {
    threads: Vec<Body>,
    resolvers: Vec<Resolver>,
    names: Option<Names>,
    databases: Databases,
    mark: Option<Mark>,
    /// The blocks in force, if sources are blocked rather than printed.
    blocks: Option<ActionCounts>,
    /// The channel for requests of people to the blocker.
    asks: Option<Sender<Asked>>,
}

/// The name and the body of a thread.
type Body = (&'static str, Box<dyn FnOnce() + Send>);

/// Actions whose end is waited for.
pub(super) struct Running(Vec<JoinHandle<()>>);

impl Actions {
    /// Starts the helpers for commands and blocking, which run as `user`, and reads databases and CA certificates. It
    /// stops waiting for nft once `stop` is set.
    pub(super) fn open(settings: &Settings, user: Option<&str>, stop: &AtomicBool) -> Result<Self, Error> {
        if settings.suggest {
            // `--suggest` reports no sources, but enriches the top ones.
            return Ok(Self {
                databases: databases(settings)?,
                looks_up_names: settings.names,
                ..Self::default()
            });
        }
        let user = user.map(str::to_owned);
        let helper_user = user.clone();
        let helper = settings.exec.as_ref().map(|exec| {
            let helper = Helper::start(exec.command.clone(), exec.timeout, helper_user)?;
            Ok::<_, Error>((helper, exec.notify))
        });
        let webhook = settings
            .webhook
            .as_ref()
            .map(|webhook| Ok::<_, Error>((Webhook::new(webhook.url.clone())?, webhook.notify)));
        let allowed = Allowed::default();
        allowed.set(settings.allow.clone());
        Ok(Self {
            block: settings
                .block
                .as_ref()
                .map(|block| blocking(block, settings, user, allowed.clone(), stop))
                .transpose()?,
            allowed,
            counts: ActionCounts::default(),
            helper: helper.transpose()?,
            webhook: webhook.transpose()?,
            has_syslog: settings.syslog.is_some(),
            databases: databases(settings)?,
            looks_up_names: settings.names,
            report: settings.report_dir.clone().map(|dir| (dir, settings.report_from.clone())),
        })
    }

    /// The allow list of the blocker.
    pub(super) fn allowed(&self) -> Allowed {
        self.allowed.clone()
    }

    /// The counters for the metrics page.
    pub(super) fn counts(&self) -> ActionCounts {
        self.counts.clone()
    }

    /// The counts of each action, for summary and status.
    pub(super) fn deliveries(&self) -> Deliveries {
        let mut deliveries = Deliveries::default();
        for (action, delivery, is_there) in [
            ("command", &self.counts.commands, self.helper.is_some()),
            ("webhook", &self.counts.webhooks, self.webhook.is_some()),
            ("syslog", &self.counts.syslog, self.has_syslog),
        ] {
            if is_there {
                deliveries.add(action, delivery.clone());
            }
        }
        deliveries
    }

    /// Creates the actions and adds their sinks.
    pub(super) fn attach(self, sinks: &mut Sinks, is_live: bool, zone: &Zone) -> Ready {
        let (names, resolvers) = self.looks_up_names.then(|| Names::new(RESOLVERS, enrich::system())).unzip();
        let mut resolvers: Vec<Resolver> = resolvers.unwrap_or_default();
        let mut threads: Vec<Body> = Vec::new();
        if let Some((helper, notify)) = self.helper {
            let delivery = self.counts.commands.clone();
            let (sender, exec, replies) = helper.exec(is_live, zone.clone(), names.clone(), delivery);
            sinks.push(Notified::new(notify, sender));
            threads.push(("commands", Box::new(move || exec.run())));
            threads.push(("replies", Box::new(move || replies.run())));
        }
        if let Some((webhook, notify)) = self.webhook {
            let delivery = self.counts.webhooks.clone();
            let (sender, post) = webhook.post(is_live, zone.clone(), names.clone(), delivery);
            sinks.push(Notified::new(notify, sender));
            threads.push(("webhook", Box::new(move || post.run())));
        }
        let mut mark: Option<Mark> = None;
        let (mut in_force, mut asks) = (None, None);
        if let Some(Block { bounds, means, protected }) = self.block {
            in_force = matches!(means, Means::Nft(_)).then(|| self.counts.clone());
            let (sender, mut blocker) = match means {
                Means::Nft(guard) => Blocker::guarding(guard, bounds, protected, self.counts),
                Means::Print => Blocker::printing(bounds, protected, self.counts, is_live),
                Means::DryRun => Blocker::dry(bounds, protected, self.counts),
            };
            let blocks = blocker.blocks();
            asks = is_live.then(|| blocker.asks());
            mark = Some(Box::new(move |alert| blocks.mark(alert)));
            sinks.push(sender);
            threads.push(("blocker", Box::new(move || blocker.run())));
        }
        if let Some((dir, reporter)) = self.report {
            let contacts = self.looks_up_names.then(|| {
                let (contacts, more) = Names::new(CONTACT_RESOLVERS, enrich::contacts());
                resolvers.extend(more);
                contacts
            });
            let (zone, names) = (zone.clone(), names.clone());
            let evidence = Evidence { dir, reporter, is_live, zone, names, contacts };
            let (collector, filer) = evidence.split();
            sinks.push(collector);
            threads.push(("filer", Box::new(move || filer.run())));
        }
        Ready { threads, resolvers, names, databases: self.databases, mark, blocks: in_force, asks }
    }
}

impl Ready {
    /// Wraps these sinks so that reports are enriched first.
    pub(super) fn name(&mut self, sinks: Sinks, is_live: bool) -> Named<Sinks> {
        let databases = std::mem::take(&mut self.databases);
        Named::new(self.names.take(), databases, self.mark.take(), is_live, sinks)
    }

    /// The counters of the blocks in force, if sources are blocked.
    pub(super) fn blocks(&self) -> Option<ActionCounts> {
        self.blocks.clone()
    }

    /// The channel for requests of people to the blocker, if there is a blocker.
    pub(super) fn asks(&self) -> Option<Sender<Asked>> {
        self.asks.clone()
    }

    /// Takes the names and databases for use without reports.
    pub(super) fn take_names(&mut self) -> (Option<Names>, Databases) {
        (self.names.take(), std::mem::take(&mut self.databases))
    }

    /// Starts the threads.
    pub(super) fn start(self) -> Result<Running, Error> {
        for resolver in self.resolvers {
            // Not joined at the end: a lookup may take long.
            spawn("names", move || resolver.run())?;
        }
        self.threads.into_iter().map(|(name, body)| spawn(name, body)).collect::<Result<_, _>>().map(Running)
    }
}

impl Running {
    /// Waits until all reports are handled, or their time is up.
    pub(super) fn finish(self) {
        self.0.into_iter().for_each(join);
    }
}

fn databases(settings: &Settings) -> Result<Databases, Error> {
    Databases::open(settings.databases.iter().map(|written| written.value.as_path()))
}

/// Starts what blocking needs.
fn blocking(
    block: &BlockSettings,
    settings: &Settings,
    user: Option<String>,
    allowed: Allowed,
    stop: &AtomicBool,
) -> Result<Block, Error> {
    let means = match block.by {
        Firewall::Nft => {
            if let Input::Live(live) = &settings.input {
                warn_of_bridges(live.interfaces.iter().map(String::as_str));
            }
            Means::Nft(Guard::start(user, block.bounds.most, settings.allow.clone(), stop)?)
        }
        Firewall::Print => Means::Print,
        Firewall::DryRun => Means::DryRun,
    };
    Ok(Block { bounds: block.bounds, means, protected: Protected::of_this_host(allowed) })
}
