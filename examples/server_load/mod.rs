//! The load of a fleet's server, as its `INFO` says.

use synwatch_testkit::server::Server;

/// What a server says of its load.
pub(crate) struct Load {
    /// Bytes that it has read and written.
    pub(crate) input: f64,
    pub(crate) output: f64,
    /// Seconds of its processor.
    pub(crate) processor: f64,
    /// Bytes that it holds.
    pub(crate) memory: f64,
}

impl Load {
    pub(crate) fn of(server: &Server) -> Self {
        let client = redis::Client::open(server.url()).unwrap();
        let text: String = redis::cmd("INFO").query(&mut client.get_connection().unwrap()).unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap().parse::<f64>().unwrap()
        };
        Self {
            input: value("total_net_input_bytes"),
            output: value("total_net_output_bytes"),
            processor: value("used_cpu_sys") + value("used_cpu_user"),
            memory: value("used_memory"),
        }
    }
}
