//! The metrics page, checked with Prometheus' own tool, and the dashboard, checked with the page.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use synwatch::capture::Received;
use synwatch::detect::Sink as _;
use synwatch::engine::stats::{Heartbeat, WatchStats};
use synwatch::report::{FleetCounts, Metrics};
use synwatch::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin};

const DASHBOARD: &str = include_str!("../../contrib/grafana-dashboard.json");

/// A page with every metric.
fn page() -> String {
    let interfaces = Interfaces::default();
    interfaces.add(Interface { origin: Origin::Interface("eth0".into()), link: LinkType::ETHERNET });
    let watches = [Arc::from("mail"), Arc::from("quotes \" and\nlines")];
    let mut metrics =
        Metrics::new(watches.clone(), interfaces).with_fleet(Some(Arc::new(FleetCounts::default())));
    let received = Received { packets: 3, kernel_drops: 2, interface_drops: 1 };
    let watches = watches.map(|watch| (watch, WatchStats { attempts: 3, ..WatchStats::default() })).into();
    metrics.heartbeat(&Heartbeat {
        watches,
        interfaces: vec![(InterfaceId(0), received)],
        ..Heartbeat::default()
    });
    metrics.page().text()
}

/// The names of a page's metrics.
fn names(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn promtool_finds_nothing_wrong() {
    let Some(mut promtool) = promtool(&["check", "metrics"]) else { return };
    promtool.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{}", page());
}

/// Prometheus' checker, as installed or as .ci/run unpacks it; nothing, and said, where there is none.
fn promtool(arguments: &[&str]) -> Option<std::process::Child> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/promtool");
    let program = if unpacked.exists() { unpacked } else { "promtool".into() };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Not println!: the test harness would keep it to itself.
            let _ = writeln!(io::stderr(), "not run: there is no promtool");
            None
        }
        Err(error) => panic!("promtool: {error}"),
    }
}

/// The queries of the dashboard's panels.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn promtool_reads_each_query_of_the_dashboard() {
    let Some(mut promtool) = promtool(&["check", "rules", "/dev/stdin"]) else { return };
    // A query is checked as what a rule records. Grafana replaces its variables before it asks.
    let rule = |(number, query): (usize, String)| {
        let query = query.replace("$instance", ".*").replace("$__rate_interval", "1m");
        assert!(!query.contains('$'), "{query}");
        json!({ "record": format!("query:{number}"), "expr": query })
    };
    let rules: Vec<Value> = expressions().into_iter().enumerate().map(rule).collect();
    let number = rules.len();
    let text = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() && out.contains(&format!("SUCCESS: {number} rules found")), "{out}{err}");
}

#[test]
fn the_dashboard_queries_existing_metrics_and_all_of_them() {
    let expressions = expressions();
    let asked: BTreeSet<&str> = expressions
        .iter()
        .flat_map(|expression| expression.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .filter(|word| word.starts_with("synwatch_"))
        .collect();
    assert_eq!(asked, names(&page()), "left: asked for, right: there");
}

#[test]
fn the_page_of_docs_lists_every_metric() {
    let page_of_docs = include_str!("../../docs/metrics.md");
    let (_, table) = page_of_docs.split_once("| metric | ").expect("the table of metrics");
    let listed: BTreeSet<&str> = table
        .lines()
        .take_while(|line| !line.is_empty())
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .map(|name| name.split('{').next().unwrap())
        .collect();
    assert_eq!(listed, names(&page()), "left: listed, right: there");
}
