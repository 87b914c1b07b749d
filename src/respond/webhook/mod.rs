//! `--webhook`: each report as JSON, posted to an address of the web, in order.
//!
//! What fails for a reason that may pass (no connection, no answer, an answer of 429 or 500 and above) is tried again,
//! each time after twice the time. Who does not take a report after that is taken for down: the next ones are tried
//! once each, until one is taken. A redirection is not followed: a report names hosts, and goes where it was told.

mod url;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

pub use self::url::WebhookUrl;
use crate::alert::Alert;
use crate::error::{Cause, Error};
use crate::names::Names;
use crate::respond::hurry::Hurry;
use crate::respond::{Feed, Inbox};
use crate::sink::record_of;
use crate::time::Timestamp;
use crate::units::Span;
use crate::warn::Throttle;
use crate::zone::Zone;

/// How patient a webhook is.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For one try, from looking up the name to the answer.
    timeout: Duration,
    tries: u32,
    /// Between the first try and the second.
    wait: Duration,
    /// For all that waits when the run ends.
    grace: Duration,
}

impl Patience {
    const DEFAULT: Self = Self {
        timeout: Duration::from_secs(10),
        tries: 4,
        wait: Duration::from_secs(1),
        grace: Duration::from_secs(10),
    };
}

/// Posts reports.
#[derive(Debug)]
pub struct Webhook {
    url: WebhookUrl,
    agent: Agent,
    patience: Patience,
}

impl Webhook {
    /// One that posts to this address. Reads the system's certificates of authorities, where they are needed, so that
    /// this need not be possible later.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn new(url: WebhookUrl) -> Result<Self, Error> {
        Self::patient(url, Patience::DEFAULT, Proxy::try_from_env())
    }

    fn patient(url: WebhookUrl, patience: Patience, proxy: Option<Proxy>) -> Result<Self, Error> {
        let roots = if url.is_https() { authorities(&url)? } else { Vec::new() };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .timeout_global(Some(patience.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("synwatch/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { url, agent, patience })
    }

    /// What does so on a thread of its own, and the sink that hands reports to it.
    #[must_use]
    pub fn post(self, is_live: bool, zone: Zone, names: Option<Names>) -> (Feed, Post) {
        let (feed, inbox) = Feed::new("the webhook", is_live, names);
        let post = Post {
            webhook: self,
            inbox,
            zone,
            is_down: false,
            warning: Throttle::new(),
            now: Timestamp::default(),
        };
        (feed, post)
    }

    /// Tries once.
    fn post_once(&self, body: &str) -> Result<(), Failure> {
        let request = self.agent.post(self.url.uri()).header("content-type", "application/json");
        match request.send(body) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Failure::Answer(answer.status())),
            Err(ureq::Error::Timeout(_)) => Err(Failure::Late(self.patience.timeout)),
            Err(error) => Err(Failure::Way(error)),
        }
    }
}

fn authorities(url: &WebhookUrl) -> Result<Vec<Certificate<'static>>, Error> {
    let found = rustls_native_certs::load_native_certs();
    let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
    let roots: Vec<_> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    if roots.is_empty() { Err(Error::Authorities { url: url.to_string(), why }) } else { Ok(roots) }
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the answer was {0}")]
    Answer(StatusCode),
    #[error("no answer within {}", Span(*.0))]
    Late(Duration),
    #[error("{}", way(.0))]
    Way(ureq::Error),
}

impl Failure {
    /// Whether it may be otherwise in a moment.
    fn may_pass(&self) -> bool {
        match self {
            Self::Answer(status) => *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            // Of TLS: the host cannot prove its name.
            Self::Way(ureq::Error::Io(error)) => error.kind() != io::ErrorKind::InvalidData,
            Self::Late(_) | Self::Way(_) => true,
        }
    }
}

fn way(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => Cause(error).to_string(),
        ureq::Error::HostNotFound => "no such host".to_owned(),
        error => error.to_string(),
    }
}

/// Posts what comes.
#[derive(Debug)]
pub struct Post {
    webhook: Webhook,
    inbox: Inbox,
    zone: Zone,
    /// Whether the last report was not taken.
    is_down: bool,
    warning: Throttle,
    /// The newest report's time: warnings are spaced by it.
    now: Timestamp,
}

impl Post {
    /// Does so until there are no more reports, or the time after the run's end is over.
    pub fn run(mut self) {
        let mut hurry = Hurry::new(self.inbox.stop.clone(), self.webhook.patience.grace);
        while let Ok(mut report) = self.inbox.reports.recv() {
            if hurry.is_over() {
                let left = 1 + self.inbox.reports.iter().count() as u64;
                self.inbox.lost.add(left);
                log::warn!("{} not posted to {}: the run ends", reports(left), self.webhook.url);
                break;
            }
            self.inbox.complete(&mut report);
            self.deliver(&report, &mut hurry);
        }
        if let Some(lost) = self.warning.rest() {
            log::warn!("{} more not posted to {}", reports(lost), self.webhook.url);
        }
    }

    fn deliver(&mut self, alert: &Alert, hurry: &mut Hurry) {
        self.now = alert.time;
        let result = record_of(alert, &self.zone).map_err(|error| error.to_string());
        let result = result.and_then(|body| self.insist(&body, hurry).map_err(|failure| failure.to_string()));
        match result {
            Ok(()) if std::mem::take(&mut self.is_down) => {
                log::info!("{} takes reports again", self.webhook.url);
            }
            Ok(()) => {}
            Err(why) => {
                self.is_down = true;
                self.inbox.lost.add(1);
                if let Some(lost) = self.warning.count(self.now, 1) {
                    log::warn!("{} not posted to {}: {why}", reports(lost), self.webhook.url);
                }
            }
        }
    }

    /// Tries again while that may help.
    fn insist(&self, body: &str, hurry: &mut Hurry) -> Result<(), Failure> {
        let Patience { tries, wait, .. } = self.webhook.patience;
        let mut wait = wait;
        let mut left = if self.is_down { 1 } else { tries };
        loop {
            let result = self.webhook.post_once(body);
            left -= 1;
            match result {
                Err(failure) if left > 0 && failure.may_pass() && hurry.wait(wait) => {
                    log::debug!("{}: {failure}, to be tried again", self.webhook.url);
                    wait *= 2;
                }
                result => return result,
            }
        }
    }
}

fn reports(count: u64) -> String {
    if count == 1 { "1 report".to_owned() } else { format!("{count} reports") }
}

#[cfg(test)]
mod tests;
