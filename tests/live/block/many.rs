//! Many sources that are verified at about the same time.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use rustix::process::Signal;
use synwatch::act::Nft;

use super::scene;
use crate::program::Program;
use crate::scene::{PATIENCE, SERVER, visit};

/// As many in each /24 as may be blocked of it, where 4,096 may be in all.
const NETWORKS: u8 = 4;
const HOSTS: u8 = 250;

#[test]
fn a_thousand_sources_are_blocked_together() {
    let Some(scene) = scene() else { return };
    // All addresses of the network for benchmarks are the host's own (RFC 2544).
    scene.outside.ip("link set lo up");
    scene.outside.ip("route add local 198.18.0.0/15 dev lo");
    scene.gateway.ip("route add 198.18.0.0/15 via 198.51.100.66 dev outer");
    let program = Program::watch(
        &scene.gateway,
        "-i outer -l 3/1h --network-limit off --destination-limit off --block nft --max-blocks 4096",
    );
    let sources =
        (0..NETWORKS).flat_map(|net| (1..=HOSTS).map(move |host| Ipv4Addr::new(198, 18, net, host)));
    let sources: Vec<_> = sources.map(IpAddr::V4).collect();
    let connect = |times: usize| {
        scene.outside.enter(|| {
            for source in sources.iter().cycle().take(times * sources.len()) {
                visit(*source, SocketAddr::new(SERVER, 25)).unwrap();
            }
        });
    };
    connect(2);
    let began = Instant::now();
    connect(1);
    let took = began.elapsed();
    let until = Instant::now() + PATIENCE;
    loop {
        let blocked = scene.gateway.enter(|| Nft::find().unwrap().blocked()).unwrap();
        if blocked.len() == sources.len() {
            break;
        }
        assert!(Instant::now() < until, "{} are blocked", blocked.len());
    }
    let _ = writeln!(
        std::io::stderr(),
        "{} sources, verified within {:.1} s, are blocked {:.1} s after the last one",
        sources.len(),
        took.as_secs_f64(),
        (began.elapsed() - took).as_secs_f64()
    );
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" is blocked for 1h"), sources.len());
    assert_eq!((ended.count(" cannot block "), ended.summary("reports-lost")), (0, 0), "{ended:#?}");
}
