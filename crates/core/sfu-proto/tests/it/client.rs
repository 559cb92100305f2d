use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_model::TrackSource;
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{
    Extension, ExtensionMap, ExtensionSerializer, ExtensionValues, RtpWrite, Vp8Descriptor,
};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// What a client is like.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) sends: Vec<TrackSource>,
    pub(crate) audio_slots: usize,
    pub(crate) video_slots: usize,
    pub(crate) simulcast: bool,
    /// Offers the Dependency Descriptor, and sends it.
    pub(crate) descriptor: bool,
    pub(crate) vp9: Vp9,
    /// In -dBov.
    pub(crate) level: i8,
    /// Estimates what its path up carries, as browsers do.
    pub(crate) estimates: bool,
    /// Numbers its packets for transport-wide feedback as it comes to mind.
    pub(crate) wild_numbers: bool,
}

/// What a client does with VP9. It takes and sends VP8 as well, one of them at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Vp9 {
    /// It does not know it.
    Unknown,
    /// It takes it, and sends VP8.
    Taken,
    /// It takes it, and sends it.
    Sent,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            sends: vec![TrackSource::Microphone, TrackSource::Camera],
            audio_slots: 2,
            video_slots: 2,
            simulcast: true,
            descriptor: false,
            vp9: Vp9::Taken,
            level: -30,
            estimates: false,
            wild_numbers: false,
        }
    }
}

/// A str0m client that offers, publishes made-up media and remembers what it receives.
pub(crate) struct Client {
    rtc: Rtc,
    index: usize,
    setup: Setup,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    sending: Vec<(TrackSource, Mid)>,
    receiving: Vec<(MediaKind, Mid)>,
    streams: BTreeMap<(String, String), Encoder>,
    timeout: Instant,
    next_media: Option<Instant>,
    pub(crate) received: Vec<Received>,
    /// How often each layer was asked for a key frame.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) offers: usize,
    pub(crate) silent: bool,
    /// What it takes its path up to carry, in bits per second, of late and at least.
    pub(crate) estimate: Option<(u64, u64)>,
    /// The next offer restarts ICE.
    pub(crate) restart_ice: bool,
    /// Layers that are not sent.
    pub(crate) off: Vec<&'static str>,
    /// How many layers of its pictures it was told to encode, by media section.
    pub(crate) demanded: BTreeMap<String, u8>,
}

/// A packet as it came out of a slot.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) mid: String,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    /// Which client sent it, taken from the payload.
    pub(crate) from: usize,
    /// Which layer, taken from the payload.
    pub(crate) layer: u8,
    pub(crate) keyframe: bool,
    /// It came as VP9.
    pub(crate) vp9: bool,
    pub(crate) picture_id: Option<u16>,
    pub(crate) frame_number: Option<u16>,
}

#[derive(Debug, Default)]
struct Encoder {
    seq: u64,
    frame: u16,
    wants_keyframe: bool,
}

const FRAME: Duration = Duration::from_millis(40);
const LAYERS: [(&str, usize); 3] = [("q", 1), ("h", 2), ("f", 4)];

impl Client {
    pub(crate) fn new(index: usize, setup: Setup, now: Instant) -> Self {
        let mut extensions = ExtensionMap::standard();
        if setup.descriptor {
            extensions.set(12, Extension::with_serializer(URI, DescriptorSerializer));
        }
        if setup.wild_numbers {
            extensions.set(3, Extension::with_serializer(NUMBER_URI, NumberSerializer));
        }
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_vp9(setup.vp9 != Vp9::Unknown)
            .set_rtp_mode(true)
            .set_extension_map(extensions)
            .enable_bwe(setup.estimates.then(|| Bitrate::mbps(2)))
            .build(now);
        let address =
            SocketAddr::new([10, 1, (index / 250) as u8, (index % 250) as u8].into(), 5000);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            rtc,
            index,
            setup,
            address,
            pending: None,
            sending: Vec::new(),
            receiving: Vec::new(),
            streams: BTreeMap::new(),
            timeout: now,
            next_media: None,
            received: Vec::new(),
            asked: BTreeMap::new(),
            offers: 0,
            silent: false,
            estimate: None,
            restart_ice: false,
            off: Vec::new(),
            demanded: BTreeMap::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn sending(&self) -> &[(TrackSource, Mid)] {
        &self.sending
    }

    /// Offers what is missing of the setup.
    pub(crate) fn offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        if std::mem::take(&mut self.restart_ice) {
            api.ice_restart(true);
        }
        for source in &self.setup.sends {
            if self.sending.iter().any(|(known, _)| known == source) {
                continue;
            }
            let kind = match source.kind() {
                conclave_model::MediaKind::Audio => MediaKind::Audio,
                conclave_model::MediaKind::Video => MediaKind::Video,
            };
            let layered = self.setup.simulcast && kind == MediaKind::Video;
            let simulcast = layered.then(|| {
                let mut simulcast = Simulcast::new();
                LAYERS
                    .iter()
                    .for_each(|(rid, _)| simulcast.add_send_layer(SimulcastLayer::new(rid)));
                simulcast
            });
            let mid = api.add_media(kind, Direction::SendOnly, None, None, simulcast);
            self.sending.push((*source, mid));
        }
        for (kind, wanted) in
            [(MediaKind::Audio, self.setup.audio_slots), (MediaKind::Video, self.setup.video_slots)]
        {
            let have = self.receiving.iter().filter(|(k, _)| *k == kind).count();
            for _ in have..wanted {
                let mid = api.add_media(kind, Direction::RecvOnly, None, None, None);
                self.receiving.push((kind, mid));
            }
        }
        let (offer, pending) = api.apply().expect("something to offer");
        self.pending = Some(pending);
        self.offers += 1;
        offer.to_sdp_string()
    }

    pub(crate) fn grow(&mut self, video_slots: usize) {
        self.setup.video_slots = video_slots;
    }

    /// Goes to another network.
    pub(crate) fn roam(&mut self, address: SocketAddr) {
        self.address = address;
        self.rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        self.restart_ice = true;
    }

    pub(crate) fn set_level(&mut self, level: i8) {
        self.setup.level = level;
    }

    pub(crate) fn accept_answer(&mut self, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
        let pending = self.pending.take().expect("an offer");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.rtc.disconnect();
        self.next_media = None;
    }

    pub(crate) fn due(&self) -> Instant {
        let far = self.timeout + Duration::from_secs(3600);
        let timeout = if self.rtc.is_alive() { self.timeout } else { far };
        self.next_media.map_or(timeout, |at| at.min(timeout))
    }

    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if let Ok(receive) = Receive::new(Protocol::Udp, from, self.address, bytes) {
            let input = Input::Receive(now, receive);
            if self.rtc.accepts(&input) {
                self.rtc.handle_input(input).unwrap();
            }
        }
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        if self.next_media.is_some_and(|at| at <= now) {
            self.next_media = Some(now + FRAME);
            if !self.silent {
                self.send_media(now);
            }
        }
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
    }

    /// Takes out what is to be sent.
    pub(crate) fn drain(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut transmits = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Event(Event::Connected) => self.next_media = Some(now),
                Output::Event(Event::KeyframeRequest(request)) => {
                    assert_eq!(request.kind, KeyframeRequestKind::Pli);
                    let rid = request.rid.map(|rid| rid.to_string()).unwrap_or_default();
                    *self.asked.entry(rid.clone()).or_default() += 1;
                    self.streams
                        .entry((request.mid.to_string(), rid))
                        .or_default()
                        .wants_keyframe = true;
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc).unwrap().mid();
                    self.remember(now, mid, &packet);
                }
                Output::Event(Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. })) => {
                    let newest = estimate.as_u64();
                    let least = self.estimate.map_or(newest, |(_, least)| least.min(newest));
                    self.estimate = Some((newest, least));
                }
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.timeout = at;
                    return transmits;
                }
                Output::Transmit(transmit) => {
                    transmits.push((transmit.destination, transmit.contents.to_vec()));
                }
            }
        }
    }

    fn remember(&mut self, now: Instant, mid: Mid, packet: &str0m::rtp::RtpPacket) {
        if packet.payload.is_empty() {
            return;
        }
        let video = self.receiving.iter().any(|(kind, m)| *m == mid && kind.is_video());
        let vp9 = self.codec(packet.header.payload_type) == Some(Codec::Vp9);
        let (keyframe, picture_id) = if vp9 {
            let [flags, high, low] = *packet.payload.first_chunk().unwrap();
            (flags & 0x48 == 0x08, Some(u16::from_be_bytes([high, low]) & 0x7fff))
        } else {
            let vp8 = Vp8Descriptor::parse(&packet.payload).ok();
            let keyframe = vp8.is_some_and(|vp8| vp8.starts_keyframe(&packet.payload));
            (keyframe, vp8.and_then(|vp8| vp8.picture_id()))
        };
        let mark = packet.payload.len() - 2;
        let descriptor = packet.header.ext_vals.user_values.get::<Descriptor>();
        self.received.push(Received {
            at: now,
            mid: mid.to_string(),
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            from: usize::from(packet.payload[mark]),
            layer: packet.payload[mark + 1],
            keyframe: video && keyframe,
            vp9,
            picture_id: picture_id.filter(|_| video),
            frame_number: descriptor.map(|d| u16::from_be_bytes([d.0[1], d.0[2]])),
        });
    }

    fn codec(&self, pt: Pt) -> Option<Codec> {
        let params = self.rtc.codec_config().params().iter();
        params.into_iter().find(|params| params.pt() == pt).map(|params| params.spec().codec)
    }

    /// Asks for a key frame of everything that it receives, so often at one moment. Returns what it
    /// would send.
    pub(crate) fn beg(&mut self, now: Instant, times: usize) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for _ in 0..times {
            for (_, mid) in self.receiving.clone() {
                let mut api = self.rtc.direct_api();
                if let Some(stream) = api.stream_rx_by_mid(mid, None) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            sent.extend(self.drain(now).into_iter().map(|(_, bytes)| bytes));
        }
        sent
    }

    /// Packets received from another client's video since an instant.
    pub(crate) fn video_from(&self, from: usize, since: Instant) -> Vec<&Received> {
        self.received
            .iter()
            .filter(|r| r.at >= since && r.from == from && r.picture_id.is_some())
            .collect()
    }

    /// Packets received from another client's microphone since an instant.
    pub(crate) fn audio_from(&self, from: usize, since: Instant) -> Vec<&Received> {
        self.received
            .iter()
            .filter(|r| r.at >= since && r.from == from && r.picture_id.is_none())
            .collect()
    }

    fn send_media(&mut self, now: Instant) {
        for (source, mid) in self.sending.clone() {
            let demanded = self.demanded.get(&*mid).copied().unwrap_or(u8::MAX);
            match source.kind() {
                conclave_model::MediaKind::Audio => {
                    for _ in 0..2 {
                        self.send_audio(now, mid);
                    }
                }
                conclave_model::MediaKind::Video if self.setup.simulcast => {
                    for (layer, (rid, packets)) in LAYERS.iter().enumerate() {
                        if !self.off.contains(rid) && (layer as u8) < demanded {
                            self.send_video(now, mid, Some(rid), layer as u8, *packets);
                        }
                    }
                }
                conclave_model::MediaKind::Video if demanded > 0 => {
                    self.send_video(now, mid, None, 0, 2);
                }
                conclave_model::MediaKind::Video => {}
            }
        }
    }

    fn send_audio(&mut self, now: Instant, mid: Mid) {
        let encoder = self.streams.entry((mid.to_string(), String::new())).or_default();
        encoder.seq += 1;
        let extensions = ExtensionValues {
            audio_level: Some(self.setup.level),
            voice_activity: Some(self.setup.level > -60),
            ..ExtensionValues::default()
        };
        let mut payload = vec![0x78; 78];
        payload.extend([self.index as u8, 0]);
        let timestamp = (encoder.seq * 960) as u32;
        let write = RtpWrite::new(111.into(), encoder.seq.into(), timestamp, now, payload)
            .ext_vals(extensions);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
    }

    /// Writes a packet of its only picture with this number. It waits until the client is woken.
    pub(crate) fn write_picture(&mut self, now: Instant, seq: u64) {
        let mid = self.picture();
        self.streams.entry((mid.to_string(), String::new())).or_default().seq = seq - 1;
        self.send_video(now, mid, None, 0, 1);
    }

    /// Drops what waits of its only picture, and returns the first number that was never used.
    pub(crate) fn drop_written(&mut self) -> Option<u64> {
        let mid = self.picture();
        let mut api = self.rtc.direct_api();
        let first = api.stream_tx_by_mid(mid, None).unwrap().drop_queued()?;
        Some(*first)
    }

    fn picture(&self) -> Mid {
        self.sending.iter().find(|(source, _)| *source == TrackSource::Camera).unwrap().1
    }

    fn send_video(&mut self, now: Instant, mid: Mid, rid: Option<&str>, layer: u8, packets: usize) {
        let key = (mid.to_string(), rid.unwrap_or_default().to_owned());
        let encoder = self.streams.entry(key.clone()).or_default();
        let keyframe = encoder.frame == 0 || std::mem::take(&mut encoder.wants_keyframe);
        encoder.frame += 1;
        for part in 0..packets {
            let encoder = self.streams.entry(key.clone()).or_default();
            encoder.seq += 1;
            let (seq, frame) = (encoder.seq, encoder.frame);
            // Each encoder counts from elsewhere, as browsers' do.
            let start = (self.index as u16).wrapping_mul(5000).wrapping_add(700 * u16::from(layer));
            let number = frame.wrapping_add(start);
            let (first, last) = (part == 0, part + 1 == packets);
            let vp9 = self.setup.vp9 == Vp9::Sent;
            let mut payload = if vp9 {
                describe_vp9(first, last, keyframe, number)
            } else {
                describe_vp8(first, keyframe, number)
            };
            payload.extend(vec![0xaa; 800]);
            payload.extend([self.index as u8, layer]);
            let mut extensions = ExtensionValues::default();
            if self.setup.descriptor {
                extensions.user_values.set(describe(first, last, keyframe, number));
            }
            if self.setup.wild_numbers {
                let wild = (seq as u16).wrapping_mul(25_173).wrapping_add(13_849);
                extensions.user_values.set(Number(wild));
            }
            let codec = if vp9 { Codec::Vp9 } else { Codec::Vp8 };
            let pts = self.rtc.media(mid).expect("negotiated").remote_pts();
            let pt = *pts.iter().find(|pt| self.codec(**pt) == Some(codec)).expect("negotiated");
            let timestamp = u32::from(frame) * 3600;
            let write = RtpWrite::new(pt, seq.into(), timestamp, now, payload)
                .marker(last)
                .nackable(true)
                .ext_vals(extensions);
            let rid = rid.map(Rid::from);
            if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, rid) {
                stream.write_rtp(write);
            }
        }
    }
}

const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

#[derive(Clone, Debug)]
struct Descriptor(Vec<u8>);

#[derive(Debug)]
struct DescriptorSerializer;

impl ExtensionSerializer for DescriptorSerializer {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(Descriptor(bytes)) = ev.user_values.get::<Descriptor>() else { return 0 };
        buf[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.user_values.set(Descriptor(buf.to_vec()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, ev: &ExtensionValues) -> bool {
        ev.user_values.get::<Descriptor>().is_some_and(|d| d.0.len() > 16)
    }
}

const NUMBER_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// A number for transport-wide feedback, which is otherwise str0m's to choose.
#[derive(Clone, Debug)]
struct Number(u16);

#[derive(Debug)]
struct NumberSerializer;

impl ExtensionSerializer for NumberSerializer {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(Number(number)) = ev.user_values.get::<Number>() else { return 0 };
        buf[..2].copy_from_slice(&number.to_be_bytes());
        2
    }

    fn parse_value(&self, _: &[u8], _: &mut ExtensionValues) -> bool {
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, _: &ExtensionValues) -> bool {
        false
    }
}

/// A VP8 payload descriptor, and the one byte behind it that says what the frame is.
fn describe_vp8(first: bool, keyframe: bool, frame: u16) -> Vec<u8> {
    let picture = 0x8000 | frame;
    let start = if first { 0x90 } else { 0x80 };
    let counters = [(picture >> 8) as u8, picture as u8, frame as u8];
    [&[start, 0xe0], &counters[..], &[0, u8::from(!keyframe)]].concat()
}

/// A VP9 payload descriptor: with picture id, layers and base layer's index.
fn describe_vp9(first: bool, last: bool, keyframe: bool, frame: u16) -> Vec<u8> {
    let picture = 0x8000 | frame;
    let flags = 0xa0 | u8::from(!keyframe) << 6 | u8::from(first) << 3 | u8::from(last) << 2;
    vec![flags, (picture >> 8) as u8, picture as u8, 0, frame as u8]
}

/// A Dependency Descriptor of a stream without layers, as Chromium's key frames have it.
fn describe(first: bool, last: bool, keyframe: bool, frame: u16) -> Descriptor {
    let head = u8::from(first) << 7 | u8::from(last) << 6 | u8::from(!keyframe);
    let [high, low] = frame.to_be_bytes();
    let mut bytes = vec![head, high, low];
    if keyframe && first {
        bytes.extend(STRUCTURE);
    }
    Descriptor(bytes)
}

/// Extended fields: a template structure of one decode target with a key and a delta template
/// and no chains.
///
/// Bits: structure present 1, other flags 0000; id offset 000000; decode targets - 1 00000;
/// layers: same 00, none more 11; indications 10 10 (switch); frame diffs 0 | 1 0000 0;
/// chains 0 (non-symmetric of 2); resolutions 0.
const STRUCTURE: [u8; 5] = [0b1000_0000, 0b0000_0000, 0b0011_1010, 0b0100_0000, 0b0000_0000];
