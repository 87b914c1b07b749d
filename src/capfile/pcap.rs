//! pcap files: one header, then records of one link type.
//!
//! The reader supports both byte orders, micro- and nanoseconds, and the variant with longer record headers
//! of Alexey Kuznetzov's patch. It accepts captured lengths above the packet's or the snap length. A fraction
//! of more than a second carries into the seconds.

use pcap_parser::nom::{self, IResult, Needed};
use pcap_parser::{LegacyPcapBlock, PcapError};
use pcap_parser::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header};

use super::{Format, MAX_RECORD, Next};
use crate::base::time::Timestamp;
use crate::error::Fault;
use crate::wire::packet::{InterfaceId, LinkType, Packet};

/// The length of the file's header, in bytes.
pub(super) const HEADER: usize = 24;

/// The bytes that begin a file in Kuznetzov's variant, in big-endian order, which `pcap_parser` does not know.
const KUZNETZOV_BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xcd, 0x34];
/// The bytes that begin a common big-endian file.
const BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];

/// The link type is in the lower half of its field; the upper half describes frame check sequences.
const LINK_TYPE_MASK: u32 = 0xffff;

/// Offset of the captured length in a record.
const CAPTURED_LENGTH: std::ops::Range<usize> = 8..12;

type Parsed<'a> = IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>>;

/// The contents of a pcap file's header.
pub(super) struct Pcap {
    parse: fn(&[u8]) -> Parsed<'_>,
    big_endian: bool,
    nanos_per_unit: i64,
    pub(super) link: LinkType,
    pub(super) interface: InterfaceId,
}

impl Pcap {
    /// Reads the file's header; `None` if it is not one.
    pub(super) fn new(header: &[u8; HEADER]) -> Option<Self> {
        let kuznetzov_big_endian = header.starts_with(&KUZNETZOV_BIG_ENDIAN);
        let mut bytes = *header;
        if kuznetzov_big_endian {
            bytes[..4].copy_from_slice(&BIG_ENDIAN);
        }
        let (_, header) = parse_pcap_header(&bytes).ok()?;
        Some(Self {
            parse: match (header.is_modified_format(), header.is_bigendian()) {
                _ if kuznetzov_big_endian => parse_frame_modified_be,
                (true, _) => parse_pcap_frame_modified,
                (false, true) => parse_pcap_frame_be,
                (false, false) => parse_pcap_frame,
            },
            big_endian: header.is_bigendian(),
            nanos_per_unit: if header.is_nanosecond_precision() { 1 } else { 1000 },
            link: LinkType((header.network.0 as u32 & LINK_TYPE_MASK) as u16),
            interface: InterfaceId::default(),
        })
    }

    /// Whether these bytes, a header or less, may begin a pcap file.
    pub(super) fn begins(bytes: &[u8]) -> bool {
        let mut header = [0; HEADER];
        let known = bytes.len().min(HEADER);
        header[..known].copy_from_slice(&bytes[..known]);
        Self::new(&header).is_some()
    }

    /// The captured length in the record.
    fn captured_length(&self, record: &[u8]) -> u32 {
        let bytes = record.get(CAPTURED_LENGTH).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

impl Format for Pcap {
    const RECORD: &'static str = "a packet record";

    fn skim(&self, data: &[u8]) -> Option<(usize, bool)> {
        (self.parse)(data).ok().map(|(rest, _)| (data.len() - rest.len(), true))
    }

    #[inline]
    fn next<'a>(&mut self, data: &'a [u8]) -> Next<'a> {
        match (self.parse)(data) {
            Ok((rest, record)) => Next::Packet(
                Packet {
                    time: Timestamp::new(
                        record.ts_sec.into(),
                        i64::from(record.ts_usec) * self.nanos_per_unit,
                    ),
                    link: self.link,
                    interface: self.interface,
                    bytes: record.data,
                    wire_length: record.origlen,
                },
                data.len() - rest.len(),
            ),
            Err(nom::Err::Incomplete(Needed::Size(more)))
                if data.len().saturating_add(more.get()) <= MAX_RECORD =>
            {
                Next::Need(data.len() + more.get())
            }
            Err(_) => Next::Fault(Fault::RecordLength(self.captured_length(data))),
        }
    }
}

/// Reads a record of Kuznetzov's variant in big-endian order: a common record header, then interface index, protocol
/// and packet type.
fn parse_frame_modified_be(data: &[u8]) -> Parsed<'_> {
    const COMMON: usize = 16;
    const LONGER: usize = 24;
    let incomplete = |need: usize| Err(nom::Err::Incomplete(Needed::new(need - data.len())));
    let Some((header, rest)) = data.split_first_chunk::<LONGER>() else {
        return incomplete(LONGER);
    };
    let mut words =
        header[..COMMON].chunks_exact(4).map(|word| word.iter().fold(0, |n, b| n << 8 | u32::from(*b)));
    let mut word = || words.next().unwrap_or_default();
    let (ts_sec, ts_usec, caplen, origlen) = (word(), word(), word(), word());
    match rest.split_at_checked(caplen as usize) {
        Some((data, rest)) => Ok((rest, LegacyPcapBlock { ts_sec, ts_usec, caplen, origlen, data })),
        None => incomplete((caplen as usize).saturating_add(LONGER)),
    }
}
