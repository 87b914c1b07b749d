//! `--webhook`: posts each report as JSON to a web address, in order.
//!
//! Temporary failures (no connection, no answer, status 429 or 500 and above) are tried again, with twice the delay
//! each time. A server that still fails counts as down: each further report gets one try until the server takes one.
//! Redirections are not followed: a report names hosts, and goes only where the user sends it.

mod reach;
mod url;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

pub(crate) use self::reach::{Reach, Reached};
pub(crate) use self::url::WebhookUrl;
use crate::act::shutdown::ShutdownDeadline;
use crate::act::{ReportReceiver, ReportSender};
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::base::warn::Throttle;
use crate::base::zone::Zone;
use crate::detect::alert::Alert;
use crate::error::{Cause, Error};
use crate::report::enrich::Names;
use crate::report::{Delivery, record_of};

/// The port of the proxy that the environment configures, if any.
#[must_use]
pub(crate) fn proxy_port() -> Option<u16> {
    Proxy::try_from_env().map(|proxy| proxy.port())
}

/// Timeouts and delays of a webhook.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Timeout of one try, from looking up the name to the answer.
    timeout: Duration,
    tries: u32,
    /// Delay between the first try and the second.
    wait: Duration,
    /// Time for all waiting reports after the run's end.
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

/// The configured webhook.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: WebhookUrl,
    agent: Agent,
    patience: Patience,
}

impl Webhook {
    /// Creates a webhook. Reads the system's CA certificates, if needed, because the sandbox may forbid it later.
    ///
    /// # Errors
    ///
    /// The system has no CA certificates.
    pub(crate) fn new(url: WebhookUrl) -> Result<Self, Error> {
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

    /// Returns the sink for reports and the task that posts them on its own thread.
    #[must_use]
    pub(crate) fn post(
        self,
        is_live: bool,
        zone: Zone,
        names: Option<Names>,
        delivery: Delivery,
    ) -> (ReportSender, Post) {
        let (sender, receiver) = ReportSender::new("the webhook", is_live, names, delivery);
        let post = Post {
            webhook: self,
            receiver,
            zone,
            is_down: false,
            warning: Throttle::new(),
            now: Timestamp::default(),
        };
        (sender, post)
    }

    /// Makes one try.
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
    /// Whether the failure may be temporary.
    fn may_pass(&self) -> bool {
        match self {
            Self::Answer(status) => *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            // A TLS error: the server cannot prove its identity.
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

/// Posts the queued reports.
#[derive(Debug)]
pub(crate) struct Post {
    webhook: Webhook,
    receiver: ReportReceiver,
    zone: Zone,
    /// Whether the last report was not taken.
    is_down: bool,
    warning: Throttle,
    /// The newest report's time, which spaces the warnings.
    now: Timestamp,
}

impl Post {
    /// Runs until the queue is closed, or until the shutdown deadline.
    pub(crate) fn run(mut self) {
        let mut deadline = ShutdownDeadline::new(self.receiver.stop.clone(), self.webhook.patience.grace);
        while let Some(mut report) = self.receiver.reports.next() {
            if deadline.is_over() {
                let left = 1 + self.receiver.reports.drain();
                self.receiver.drop(left);
                log::warn!("{} not posted to {}: the run ends", reports(left), self.webhook.url);
                break;
            }
            self.receiver.complete(&mut report);
            self.deliver(&report, &mut deadline);
        }
        if let Some(lost) = self.warning.rest() {
            log::warn!("{} more not posted to {}", reports(lost), self.webhook.url);
        }
    }

    fn deliver(&mut self, alert: &Alert, deadline: &mut ShutdownDeadline) {
        self.now = alert.time;
        let result = record_of(alert, &self.zone).map_err(|error| error.to_string());
        let result =
            result.and_then(|body| self.insist(&body, deadline).map_err(|failure| failure.to_string()));
        if result.is_ok() {
            self.receiver.delivery.done.add(1);
        }
        match result {
            Ok(()) if std::mem::take(&mut self.is_down) => {
                log::info!("{} takes reports again", self.webhook.url);
            }
            Ok(()) => {}
            Err(why) => {
                self.is_down = true;
                self.receiver.lost.add(1);
                self.receiver.delivery.failed.add(1);
                if let Some(lost) = self.warning.count(self.now, 1) {
                    log::warn!("{} not posted to {}: {why}", reports(lost), self.webhook.url);
                }
            }
        }
    }

    /// Retries temporary failures.
    fn insist(&self, body: &str, deadline: &mut ShutdownDeadline) -> Result<(), Failure> {
        let Patience { tries, wait, .. } = self.webhook.patience;
        let mut wait = wait;
        let mut left = if self.is_down { 1 } else { tries };
        loop {
            let result = self.webhook.post_once(body);
            left -= 1;
            match result {
                Err(failure) if left > 0 && failure.may_pass() && deadline.wait(wait) => {
                    log::debug!("{}: {failure}, to be tried again", self.webhook.url);
                    self.receiver.delivery.retried.add(1);
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
