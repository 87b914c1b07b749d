//! Writes databases in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>), as small as tests need them.

use std::net::IpAddr;

use ipnet::IpNet;

/// What a database holds.
#[derive(Clone)]
pub(crate) enum Value {
    Text(&'static str),
    Number16(u16),
    Number32(u32),
    Number64(u64),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

use Value::{List, Map, Number16, Number32, Number64, Text};

/// Each network, with what is said of it.
pub(crate) fn database(entries: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[None; 2]];
    for (network, value) in entries {
        let offset = data.len();
        value.write(&mut data);
        insert(&mut nodes, network.parse().unwrap(), offset);
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match *record {
            None => count,
            Some(Record::Node(node)) => u32::try_from(node).unwrap(),
            Some(Record::Data(offset)) => count + 16 + u32::try_from(offset).unwrap(),
        };
        file.extend(number.to_be_bytes());
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Map(vec![
        ("node_count", Number32(count)),
        ("record_size", Number16(32)),
        ("ip_version", Number16(6)),
        ("database_type", Text("Test")),
        ("languages", List(vec![Text("en")])),
        ("binary_format_major_version", Number16(2)),
        ("binary_format_minor_version", Number16(0)),
        ("build_epoch", Number64(1_700_000_000)),
        ("description", Map(vec![("en", Text("Test"))])),
    ]);
    metadata.write(&mut file);
    file
}

/// Where a bit of an address leads.
#[derive(Clone, Copy)]
enum Record {
    Node(usize),
    Data(usize),
}

fn insert(nodes: &mut Vec<[Option<Record>; 2]>, network: IpNet, data: usize) {
    // IPv4 stands at ::/96.
    let (bits, length) = match network.network() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 96 + network.prefix_len()),
        IpAddr::V6(address) => (u128::from(address), network.prefix_len()),
    };
    let mut node = 0;
    for at in 0..length {
        let bit = usize::from(bits >> (127 - at) & 1 == 1);
        if at + 1 == length {
            nodes[node][bit] = Some(Record::Data(data));
            return;
        }
        node = match nodes[node][bit] {
            Some(Record::Node(next)) => next,
            _ => {
                nodes.push([None; 2]);
                let next = nodes.len() - 1;
                nodes[node][bit] = Some(Record::Node(next));
                next
            }
        };
    }
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Text(text) => {
                control(out, 2, text.len());
                out.extend(text.bytes());
            }
            Number16(number) => number_of(out, 5, &number.to_be_bytes()),
            Number32(number) => number_of(out, 6, &number.to_be_bytes()),
            Number64(number) => number_of(out, 9, &number.to_be_bytes()),
            Map(entries) => {
                control(out, 7, entries.len());
                for (key, value) in entries {
                    Text(key).write(out);
                    value.write(out);
                }
            }
            List(values) => {
                control(out, 11, values.len());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

fn number_of(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    control(out, kind, bytes.len());
    out.extend(bytes);
}

/// The kind of a value and its size, which is less than 285.
fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    let short = u8::try_from(short).unwrap();
    match kind {
        0..=7 => out.push(kind << 5 | short),
        _ => out.extend([short, kind - 7]),
    }
    out.extend(more.map(|more| u8::try_from(more).unwrap()));
}
