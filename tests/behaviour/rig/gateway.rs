//! A run as one of several gateways: the engine's part, and the ends of its queues.

use crossbeam_channel::{Sender, bounded};

use synwatch::capture::Receiver as _;
use synwatch::engine::fleet::{
    self, Command, Marker, Outgoing, Publication, Tally, TallyKey, TallySpec, outbox,
};

use super::{Run, Setup, Watch};

/// The threads' ends of a fleet.
pub(crate) struct Fleet {
    pub(crate) outgoing: Outgoing,
    pub(crate) commands: Sender<Command>,
}

impl Setup {
    /// What a fleet counts of a watch.
    pub(crate) fn tally_spec(&self, number: u16, watch: &Watch) -> TallySpec {
        TallySpec {
            key: TallyKey::new(number, None),
            outcome: None,
            limits: watch.limits.iter().copied().filter(|limit| limit.outcome.is_none()).collect(),
            candidate_time: 2 * self.longest_window(),
            quiet_time: self.quiet_time,
        }
    }

    /// What makes the run one of so many gateways: the engine's part, and the ends of its queues.
    pub(super) fn fleet(&self, gateways: usize) -> (fleet::Parts, Fleet) {
        let specs = (1..).zip(&self.watches).map(|(number, watch)| self.tally_spec(number, watch));
        let tallies = specs.map(|spec| Tally::new(spec, 4 << 20).expect("memory for the fleet")).collect();
        let (outbox, outgoing) = outbox(fleet::ROOM);
        let (commands, received) = bounded(64);
        let marker: Marker = Box::new(|port, _, number| port ^ u16::try_from(number & 0xffff).unwrap_or(0));
        for command in [Command::Marker(marker), Command::Gateways(gateways)] {
            commands.send(command).expect("there is room");
        }
        (fleet::Parts { tallies, outbox, commands: received }, Fleet { outgoing, commands })
    }
}

impl Run {
    /// Has the commands of the fleet executed, and takes what is to be published.
    pub(crate) fn published(&mut self) -> Vec<Publication> {
        self.engine.serve_fleet();
        self.engine.barrier();
        let outgoing = self.fleet.iter().flat_map(|fleet| [&fleet.outgoing.proven, &fleet.outgoing.others]);
        outgoing.flat_map(|queue| queue.try_iter()).collect()
    }
}
